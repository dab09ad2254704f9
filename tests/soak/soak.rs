//! The soak: lives that end early, one after another, until there were enough of them.

use std::collections::{BTreeMap, VecDeque};
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::dice::Dice;
use crate::feed::{Feed, make_folders};
use crate::graph;
use crate::life::{self, End, Life};
use crate::witness::{self, Left, Parts};

const GRAPH: &str = "graph.ron";
const SEED: u64 = 1;
/// With fewer kills, less input will do.
const MANY: u64 = 50;

/// A soak under way.
pub(crate) struct Soak {
    name: &'static str,
    seed: u64,
    dice: Dice,
    folder: Option<TempDir>,
    /// How many kills are to hit a process that lives.
    kills: u64,
    killed: u64,
    stopped: u64,
    rounds: u64,
    /// How often a kill left what.
    left: BTreeMap<Left, u64>,
    /// The visible files after the life before.
    visible: Parts,
}

/// How a life is to end.
#[derive(Clone, Copy, Debug)]
enum Plan {
    /// Killed within the start: reading the graph, the checkpoint, the state; running again what was cut off.
    KillEarly { micros: u64 },
    /// Killed a moment after so many epochs.
    Kill { epochs: u64, micros: u64 },
    /// Asked to end after so many epochs; `twice`: and asked again.
    Terminate { epochs: u64, twice: bool },
}

fn variable(name: &str, default: u64) -> u64 {
    let Ok(text) = env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("`{name}` is to be a number, not `{text}`"))
}

impl Soak {
    /// As many as `WATERSHED_SOAK_KILLS` says.
    pub(crate) fn kills_asked_for(default: u64) -> u64 {
        variable("WATERSHED_SOAK_KILLS", default)
    }

    /// A soak of so many kills.
    pub(crate) fn begin(name: &'static str, kills: u64) -> Self {
        let seed = variable("WATERSHED_SOAK_SEED", SEED);
        Self {
            name,
            seed,
            dice: Dice::new(seed, name),
            folder: Some(tempfile::tempdir().expect("a directory")),
            kills,
            killed: 0,
            stopped: 0,
            rounds: 0,
            left: BTreeMap::new(),
            visible: Parts::new(),
        }
    }

    fn folder(&self) -> &Path {
        self.folder.as_ref().expect("it is given up by drop alone").path()
    }

    fn feed(&mut self) -> Feed {
        let folder = self.folder().join("input");
        fs::create_dir(&folder).expect("a folder for the input");
        let epochs = if self.kills < MANY { 80 } else { 150 };
        Feed::make(&folder, epochs, &mut self.dice)
    }

    fn begin_round(&mut self, input: &str) -> PathBuf {
        self.rounds += 1;
        self.visible.clear();
        let folder = self.folder().join(format!("round-{}", self.rounds));
        fs::create_dir(&folder).expect("a folder for the round");
        fs::write(folder.join(GRAPH), graph::text(input)).expect("the graph's file");
        folder
    }

    /// Rounds over input that does not change: epochs, and with them files, are those of a run that nobody disturbs.
    pub(crate) fn over_files_that_are_all_there(mut self) {
        let feed = self.feed();
        let undisturbed = self.begin_round("../input");
        life::undisturbed(&undisturbed, GRAPH, &[]);
        let expected = witness::parts(&undisturbed);
        witness::is_the_answer(&expected, &feed.rows);
        for sink in graph::SINKS {
            let files = expected.keys().filter(|name| name.starts_with(sink)).count();
            assert!(files > 5, "`{sink}` has {files} files");
        }
        while self.killed < self.kills {
            let folder = self.begin_round("../input");
            let mut end = End::Killed;
            while end != End::Finished && self.killed < self.kills {
                end = self.live(&folder, &[], &mut |_| true);
                for (name, content) in &self.visible {
                    assert!(expected.get(name) == Some(content), "`{name}` is not as in an undisturbed run");
                }
            }
            life::undisturbed(&folder, GRAPH, &[]);
            self.end_round(&folder);
            let missing: Vec<&String> = expected.keys().filter(|name| !self.visible.contains_key(*name)).collect();
            assert!(missing.is_empty(), "{missing:?} are missing");
            assert!(self.visible == expected, "the same files, byte for byte");
            // A run that has nothing to do changes nothing.
            life::undisturbed(&folder, GRAPH, &[]);
            assert!(witness::parts(&folder) == expected, "a run without input shows nothing new");
        }
        self.finish();
    }

    /// Rounds over input that grows while processes live and die.
    pub(crate) fn over_files_that_are_added(mut self) {
        let feed = self.feed();
        let watching = ["--trigger", "continuous", "--at-end", "hold"];
        while self.killed < self.kills {
            let folder = self.begin_round("input");
            make_folders(&folder.join("input"));
            let mut waiting: VecDeque<PathBuf> = feed.files().into();
            while !waiting.is_empty() && self.killed < self.kills {
                self.live(&folder, &watching, &mut |dice| {
                    let files = waiting.len().min(1 + dice.below(6) as usize);
                    for file in waiting.drain(..files) {
                        add(&feed.folder, &folder.join("input"), &file, dice);
                    }
                    files > 0
                });
                witness::no_row_is_there_twice(&self.visible);
            }
            for file in waiting {
                add(&feed.folder, &folder.join("input"), &file, &mut self.dice);
            }
            life::undisturbed(&folder, GRAPH, &[]);
            self.end_round(&folder);
            witness::is_the_answer(&self.visible, &feed.rows);
        }
        self.finish();
    }

    /// One life. `next` makes sure that another epoch is due, if it can.
    fn live(&mut self, folder: &Path, arguments: &[&str], next: &mut dyn FnMut(&mut Dice) -> bool) -> End {
        let threads = self.dice.pick(&["1", "2", "3", "4"]);
        let batch_rows = self.dice.pick(&["8192", "8192", "100", "7"]);
        let arguments = [arguments, &["--threads", threads, "--batch-rows", batch_rows]].concat();
        if self.dice.percent(15) {
            self.plant_torn_files(folder);
        }
        let plan = self.plan();
        let mut life = Life::begin(folder, GRAPH, &arguments);
        let mut live_on = |life: &mut Life<'_>, dice: &mut Dice, epochs: u64| {
            let _: bool = (0..epochs).all(|_| next(dice) && life.wait_for_epochs(1));
        };
        let end = match plan {
            Plan::KillEarly { micros } => {
                life.wait(micros);
                life.kill()
            }
            Plan::Kill { epochs, micros } => {
                live_on(&mut life, &mut self.dice, epochs);
                life.wait(micros);
                life.kill()
            }
            Plan::Terminate { epochs, twice } => {
                live_on(&mut life, &mut self.dice, epochs);
                life.terminate();
                if twice {
                    life.terminate();
                }
                let end = life.wait_for_end();
                if end == End::Finished { End::StoppedCleanly } else { end }
            }
        };
        self.look(folder, end);
        end
    }

    fn plan(&mut self) -> Plan {
        match self.dice.below(100) {
            0..20 => Plan::KillEarly { micros: self.dice.below(400_000) },
            20..85 => Plan::Kill { epochs: self.dice.below(9), micros: self.moment() },
            85..93 => Plan::Terminate { epochs: 1 + self.dice.below(6), twice: false },
            _ => Plan::Terminate { epochs: 1 + self.dice.below(6), twice: true },
        }
    }

    /// A moment within an epoch, on disks fast and slow.
    fn moment(&mut self) -> u64 {
        let most = self.dice.pick(&[4_000, 25_000, 120_000]);
        self.dice.below(most)
    }

    /// What a power loss may leave of files that were being written.
    fn plant_torn_files(&mut self, folder: &Path) {
        let epoch = self.dice.below(170);
        let torn = [
            format!("checkpoint/epochs/.{epoch:08}.commit.7.tmp"),
            format!("checkpoint/epochs/.{epoch:08}.intent.8.tmp"),
            format!("checkpoint/state/unique/0/.keys.{epoch:08}.delta.9.tmp"),
            format!("out/once/.part-{epoch:08}-0000.csv.staged"),
            format!("out/per_user/.part-{epoch:08}-0001.json.staged"),
        ];
        for name in torn {
            let path = folder.join(name);
            if path.parent().is_some_and(Path::is_dir) {
                fs::write(path, &b"{\"format\":1,\"epoch\":"[..self.dice.below(20) as usize]).expect("a torn file");
            }
        }
    }

    /// What must hold whenever a process has ended.
    fn look(&mut self, folder: &Path, end: End) {
        let before = std::mem::replace(&mut self.visible, witness::parts(folder));
        for name in before.keys() {
            assert!(self.visible.contains_key(name), "`{name}` was visible and is gone");
        }
        let left = witness::left(folder, &self.visible);
        match end {
            End::Killed => {
                self.killed += 1;
                *self.left.entry(left).or_default() += 1;
            }
            End::Stopped => self.stopped += 1,
            End::StoppedCleanly | End::Finished => {
                self.stopped += u64::from(end == End::StoppedCleanly);
                assert_eq!(left, Left::Clean, "a process that ends by itself, or is asked once, commits what it began");
            }
        }
    }

    /// What must hold at the end of a round, whose last process was not disturbed.
    fn end_round(&mut self, folder: &Path) {
        self.visible = witness::parts(folder);
        assert_eq!(witness::left(folder, &self.visible), Left::Clean);
        assert_eq!(witness::leftovers(folder), Vec::<PathBuf>::new(), "what processes left behind is cleared away");
    }

    fn finish(self) {
        let Self { name, seed, killed, stopped, rounds, left, .. } = &self;
        println!("{name}: seed {seed}, {rounds} rounds, {killed} kills, {stopped} stops; kills left {left:?}");
        let of = |left: Left| self.left.get(&left).copied().unwrap_or_default();
        let cut_off = killed - of(Left::Nothing) - of(Left::Clean);
        // With a few kills, or none, it is a matter of luck where they land.
        if *killed >= 20 {
            assert!(cut_off * 4 >= *killed, "many kills cut an epoch off, not only {cut_off} of {killed}");
        }
        if *killed >= 100 {
            for phase in [Left::Staged, Left::StateWritten, Left::Shown] {
                assert!(of(phase) > 0, "no kill left an epoch {phase:?}");
            }
        }
    }
}

impl Drop for Soak {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { name, seed, rounds, killed, .. } = self;
            let folder = self.folder.take().map(TempDir::keep).unwrap_or_default();
            eprintln!(
                "soak `{name}` failed in round {rounds} after {killed} kills; its files are in {}\n\
                 again: WATERSHED_SOAK_SEED={seed} WATERSHED_SOAK_KILLS={} cargo test --test soak",
                folder.display(),
                Self::kills_asked_for(crate::KILLS),
            );
        }
    }
}

/// Moves a file of the feed into place, as a whole; some with a time of long ago.
fn add(from: &Path, to: &Path, file: &Path, dice: &mut Dice) {
    let hidden = to.join(".coming");
    fs::copy(from.join(file), &hidden).expect("a copy");
    if dice.percent(10) {
        let copy = File::options().write(true).open(&hidden).expect("the copy");
        let modified = copy.metadata().and_then(|metadata| metadata.modified()).expect("its time");
        copy.set_modified(modified - Duration::from_secs(dice.below(3600))).expect("its time can be set");
    }
    fs::rename(hidden, to.join(file)).expect("the file takes its place");
}
