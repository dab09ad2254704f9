//! What may happen to a file of a checkpoint.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use watershed::core::checkpoint::{FORMAT, FileName};

use super::kind;

/// The trailer of a file of state: a word and the checksum.
const TRAILER: usize = 12;

/// Something that happened to a file: what it holds now, or that it is gone.
pub(super) struct Damage {
    pub(super) what: String,
    pub(super) content: Option<Vec<u8>>,
}

/// All that may happen to the file `name`.
pub(super) fn damages(name: &str, files: &BTreeMap<String, Vec<u8>>) -> Vec<Damage> {
    let content = &files[name];
    let length = content.len();
    let mut damages = vec![
        Damage { what: "is missing".to_owned(), content: None },
        Damage { what: "holds zeros".to_owned(), content: Some(vec![0; length]) },
        Damage { what: "has more at its end".to_owned(), content: Some([content, &b"and more\n"[..]].concat()) },
    ];
    for at in [0, 1, length / 4, length / 2, length.saturating_sub(TRAILER), length.saturating_sub(2)] {
        let what = format!("is cut off at {at} of {length}");
        damages.push(Damage { what, content: Some(content[..at.min(length)].to_vec()) });
    }
    for at in (0..length).step_by((length / 8).max(1)) {
        let mut flipped = content.clone();
        flipped[at] ^= 1 << (at % 8);
        damages.push(Damage { what: format!("has a bit flipped at {at} of {length}"), content: Some(flipped) });
    }
    if kind(name) != "lock" {
        damages
            .push(Damage { what: "is of a newer version".to_owned(), content: Some(of_newer_version(name, content)) });
    }
    // The files beside it are those of the epochs before and after; the one farthest away is another node's.
    let others: Vec<&String> = files.keys().filter(|other| kind(other) == kind(name)).collect();
    let place = others.iter().position(|other| *other == name).unwrap_or(0);
    let wanted = BTreeSet::from([place.saturating_sub(1), place + 1, (place + others.len() / 2) % others.len()]);
    let wanted = wanted.into_iter().filter_map(|place| others.get(place)).filter(|other| ***other != name);
    damages.extend(wanted.map(|other| {
        let what = format!("holds what `{other}` should");
        Damage { what, content: Some(files[*other].clone()) }
    }));
    damages
}

/// The file as a version might write it whose format is one higher.
fn of_newer_version(name: &str, content: &[u8]) -> Vec<u8> {
    if let Some(FileName::State(_)) = FileName::parse(name) {
        return newer_state(content);
    }
    let line = content.split(|byte| *byte == b'\n').next().expect("a first line");
    let line = newer(std::str::from_utf8(line).expect("a record is text"));
    format!("{line}\n{{\"crc32\":\"{:08x}\"}}\n", crc32(line.as_bytes())).into_bytes()
}

fn newer(record: &str) -> String {
    let (format, newer) = (format!("\"format\":{FORMAT}"), format!("\"format\":{}", FORMAT + 1));
    assert!(record.contains(&format), "{record}");
    record.replace(&format, &newer)
}

fn newer_state(content: &[u8]) -> Vec<u8> {
    let stream = &content[..content.len() - TRAILER];
    let reader = StreamReader::try_new(stream, None).expect("a stream");
    let schema = reader.schema();
    let header = ("watershed".to_owned(), newer(&schema.metadata()["watershed"]));
    let schema = Arc::new(Schema::new(schema.fields().clone()).with_metadata(HashMap::from([header])));
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).expect("a writer");
    for batch in reader {
        let columns = batch.expect("a batch").columns().to_vec();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("the same columns");
        writer.write(&batch).expect("memory takes it");
    }
    let mut content = writer.into_inner().expect("memory takes it");
    let sum = crc32(&content);
    content.extend_from_slice(b"watershd");
    content.extend_from_slice(&sum.to_le_bytes());
    content
}

/// CRC-32 as in ISO 3309, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = !0_u32;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xEDB8_8320 * (sum & 1));
        }
    }
    !sum
}
