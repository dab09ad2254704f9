//! `watershed checkpoint verify`: every file read to its last byte.

use std::fmt::Write;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use watershed_core::checkpoint::inspect::{Finding, Verification, verify};
use watershed_core::checkpoint::{CheckpointStorage, Decision};

use super::{epochs, failed, goes_on, holdings, list};
use crate::cli::arguments::Format;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::run::numbers::{bytes, count};
use crate::cli::storage;
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed checkpoint verify checkpoints/visits
  watershed checkpoint verify checkpoints/visits && cp -r checkpoints/visits backup/
  watershed checkpoint verify checkpoints/visits --format json | jq .damages[].file

Ends with 0 when all is whole and with 74 when something is damaged, also where a run can do without it.";

/// Read every file of a checkpoint and tell what is damaged
///
/// Holds every record and every file of state against its checksum, its format, its name and what it says of itself, and every
/// version against the files that it is made of. Tells for each damage the file, the epochs that cannot be loaded without it, and what
/// to do; then from which version a run would go on, if any: a run does without what it can exactly do without.
///
/// Takes no lock and changes nothing.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct VerifyArguments {
    /// The checkpoint
    #[arg(value_name = "DIR")]
    checkpoint: String,
    /// How to write what was found
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &VerifyArguments, terminal: Terminal) -> Outcome {
    let storage = storage::open(&arguments.checkpoint)?;
    holdings(&*storage)?;
    // Drawn on a terminal only.
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:30} {decimal_bytes} of {decimal_total_bytes} read, {eta} left");
    bar.set_style(style.expect("a template with known names"));
    let verified = verify(&*storage, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let verification = verified.map_err(|error| failed(&error))?;
    match arguments.format {
        Format::Json => terminal.print(&format!("{:#}\n", as_json(&verification, &*storage)))?,
        Format::Text => terminal.print(&as_text(&verification, terminal))?,
    }
    Ok(if verification.findings.is_empty() { Exit::Ok } else { Exit::InputOutput })
}

fn as_json(verification: &Verification, storage: &dyn CheckpointStorage) -> Value {
    let damage = |finding: &Finding| {
        json!({
            "file": finding.damage.file,
            "damage": finding.damage.to_string(),
            "epochs": finding.versions,
            "remedy": finding.remedy,
        })
    };
    json!({
        "location": storage.location(),
        "files": verification.files,
        "bytes": verification.bytes,
        "whole": verification.whole,
        "damages": verification.findings.iter().map(damage).collect::<Vec<_>>(),
        "unneeded": {"files": verification.unneeded.0, "bytes": verification.unneeded.1},
        "strangers": verification.strangers,
        "next": list::next(&verification.decision),
    })
}

fn as_text(verification: &Verification, terminal: Terminal) -> String {
    let mut text = String::new();
    let mut line = |words: String| writeln!(text, "{words}").expect("writing to a string cannot fail");
    for finding in &verification.findings {
        line(format!("{} {}", terminal.paint_out("damaged:", "1;31"), finding.damage));
        if !finding.versions.is_empty() {
            line(format!("  cannot be loaded without it: {}", epochs(&finding.versions)));
        }
        line(format!("  {} {}", terminal.paint_out("remedy:", "36"), finding.remedy));
    }
    let damaged = match verification.findings.len() {
        0 => "all whole".to_owned(),
        1 => "1 damaged or missing".to_owned(),
        several => format!("{} damaged or missing", count(several as u64)),
    };
    line(format!("{} files, {}: {damaged}", count(verification.files as u64), bytes(verification.bytes)));
    if !verification.whole.is_empty() {
        line(format!("whole: {}", epochs(&verification.whole)));
    }
    if let (files @ 1.., size) = verification.unneeded {
        let files = count(files as u64);
        line(format!(
            "no version needs {files} of the files, {}; `watershed checkpoint prune` removes them",
            bytes(size)
        ));
    }
    if !verification.strangers.is_empty() {
        line(format!("not files of a checkpoint, left alone: {}", verification.strangers.join(", ")));
    }
    if !matches!(verification.decision, Decision::Damaged { .. }) || verification.findings.is_empty() {
        line(goes_on(&verification.decision));
    } else {
        line("no run can go on from this checkpoint as it is".to_owned());
    }
    text
}
