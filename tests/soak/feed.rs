//! The input: many small files of three formats, with rows that come twice, out of order and too late.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::dice::Dice;
use crate::life;

/// The formats, with how many files there are of each for ten of the first.
const FORMATS: [(&str, u64); 3] = [("json", 10), ("csv", 6), ("parquet", 4)];
/// The event time that passes from a file to the next.
const SECONDS_PER_FILE: u64 = 10;

/// A row as it is delivered: `delivery` is its own, `id` is that of the row that it may repeat.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) delivery: u64,
    pub(crate) id: u64,
    pub(crate) user: u64,
    pub(crate) micros: u64,
    pub(crate) x: u64,
}

/// What was made.
#[derive(Debug)]
pub(crate) struct Feed {
    /// All rows, by delivery.
    pub(crate) rows: Vec<Row>,
    /// The folder that has a folder per format.
    pub(crate) folder: PathBuf,
    /// How many files there are of the format that has most.
    epochs: u64,
}

impl Row {
    /// As the files have it.
    fn at(&self) -> String {
        let (seconds, micros) = (self.micros / 1_000_000, self.micros % 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("2015-02-24T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }

    /// The start of its minute, as a window of a minute shows it.
    pub(crate) fn minute(&self) -> String {
        let minutes = self.micros / 60_000_000;
        format!("2015-02-24T{:02}:{:02}:00Z", minutes / 60, minutes % 60)
    }

    fn json(&self) -> String {
        let Self { delivery, id, user, x, .. } = self;
        let at = self.at();
        format!(r#"{{"delivery": {delivery}, "id": {id}, "user": "user {user}", "at": "{at}", "x": 0.{x:04}}}"#)
    }

    fn csv(&self) -> String {
        format!("{},{},user {},{},0.{:04}", self.delivery, self.id, self.user, self.at(), self.x)
    }
}

impl Feed {
    /// Makes files in `folder`, enough for so many epochs that read one of each format. Files of one number are of about the
    /// same event time.
    pub(crate) fn make(folder: &Path, epochs: u64, dice: &mut Dice) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        let mut files: BTreeMap<(u64, &str), Vec<usize>> = BTreeMap::new();
        for number in 0..epochs {
            for format in formats_of(number, epochs) {
                let first = rows.len();
                for _ in 0..5 + dice.below(30) {
                    let row = next_row(&rows, number, dice);
                    rows.push(row);
                }
                files.insert((number, format), (first..rows.len()).collect());
            }
        }
        make_folders(folder);
        let lines = folder.join("lines");
        fs::create_dir(&lines).expect("a folder for what becomes Parquet");
        for ((number, format), rows_of_file) in files {
            let rows = rows_of_file.iter().map(|row| &rows[*row]);
            let text = match format {
                "csv" => rows.fold("delivery,id,user,at,x\n".to_owned(), |text, row| text + &row.csv() + "\n"),
                _ => rows.fold(String::new(), |text, row| text + &row.json() + "\n"),
            };
            let (place, extension) =
                if format == "parquet" { (&lines, "json") } else { (&folder.join(format), format) };
            fs::write(place.join(file_name(number, extension)), text).expect("a file of rows");
        }
        lines_into_parquet(folder);
        Self { rows, folder: folder.to_owned(), epochs }
    }

    /// All files, oldest rows first.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let of_number = |number: u64| {
            formats_of(number, self.epochs).map(move |format| Path::new(format).join(file_name(number, format)))
        };
        (0..self.epochs).flat_map(of_number).collect()
    }
}

/// Makes a folder for each format.
pub(crate) fn make_folders(folder: &Path) {
    for (format, _) in FORMATS {
        fs::create_dir_all(folder.join(format)).expect("a folder for each format");
    }
}

/// The formats that have a file of this number.
fn formats_of(number: u64, epochs: u64) -> impl Iterator<Item = &'static str> {
    FORMATS.into_iter().filter(move |(_, of_ten)| number < epochs * of_ten / 10).map(|(format, _)| format)
}

fn file_name(number: u64, extension: &str) -> String {
    if extension == "parquet" { format!("part-{number:08}-0000.parquet") } else { format!("{number:04}.{extension}") }
}

fn next_row(before: &[Row], number: u64, dice: &mut Dice) -> Row {
    let delivery = before.len() as u64;
    if !before.is_empty() && dice.percent(12) {
        let again = before[before.len() - 1 - dice.below(before.len().min(120) as u64) as usize].clone();
        return Row { delivery, ..again };
    }
    // Most come within the delay of the watermark, some long after it.
    let behind = if dice.percent(4) { 120 + dice.below(900) } else { dice.below(35) };
    let seconds = (1000 + number * SECONDS_PER_FILE + dice.below(SECONDS_PER_FILE)).saturating_sub(behind);
    let micros = seconds * 1_000_000 + dice.below(1_000_000);
    Row { delivery, id: delivery, user: dice.below(9), micros, x: dice.below(10_000) }
}

/// Has the command itself turn lines into Parquet files, one for each.
fn lines_into_parquet(folder: &Path) {
    let mut graph = String::new();
    write!(
        graph,
        r#"Graph(
            name: "lines-into-parquet",
            sources: {{ "lines": Files(path: "lines", format: Json, schema: "{}", max_files_per_epoch: 1) }},
            sinks: {{ "parquet": Files(path: "parquet", format: Parquet) }},
            flow: ["lines -> parquet"],
            run: (trigger: AvailableNow),
        )"#,
        crate::graph::COLUMNS
    )
    .expect("a string can be written to");
    fs::write(folder.join("lines-into-parquet.ron"), graph).expect("the graph's file");
    life::undisturbed(folder, "lines-into-parquet.ron", &[]);
    let lines = fs::read_dir(folder.join("lines")).expect("the folder can be listed").count() as u64;
    for number in 0..lines {
        let file = folder.join("parquet").join(file_name(number, "parquet"));
        assert!(file.is_file(), "an epoch for each file, but {} is not there", file.display());
    }
}
