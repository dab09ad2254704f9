//! A reader of Arrow streams after the Arrow specification, which shares nothing with the writer: the messages are read by
//! another generator's code (`planus`), compressed buffers by LZ4's own library, and the checksum is reckoned bit by bit.

use std::io::Read;

use arrow_format::ipc::planus::ReadAsRoot;
use arrow_format::ipc::{
    Buffer, CompressionType, Field, FieldNode, Message, MessageHeader, MessageRef, Precision, RecordBatch, Schema, Type,
};
use serde_json::{Value, json};

/// What a file of state says to a stranger.
#[derive(Debug, Default)]
pub(crate) struct Foreign {
    /// The columns: name, whether it may be null, type.
    pub(crate) columns: Vec<(String, bool, String)>,
    /// The metadata `watershed` of the schema.
    pub(crate) header: Value,
    /// The rows of each batch.
    pub(crate) batches: Vec<Vec<Value>>,
    /// Whether the buffers of all batches are compressed.
    pub(crate) compressed: bool,
}

/// Reads a whole file: stream, end of stream, trailer.
pub(crate) fn read(file: &[u8]) -> Foreign {
    let (stream, trailer) = file.split_at(file.len() - 12);
    assert_eq!(&trailer[..8], b"watershd");
    assert_eq!(trailer[8..], crc32(stream).to_le_bytes(), "the checksum is the CRC-32 of all before the trailer");
    let mut foreign = Foreign { compressed: true, ..Foreign::default() };
    let mut fields = Vec::new();
    let mut rest = stream;
    loop {
        assert_eq!(u32::from_le_bytes(taken(&mut rest)), 0xFFFF_FFFF, "a message begins");
        let length = u32::from_le_bytes(taken(&mut rest)) as usize;
        if length == 0 {
            assert!(rest.is_empty(), "nothing comes between the stream's end and the trailer");
            return foreign;
        }
        let (message, body) = rest.split_at(length);
        let message = MessageRef::read_as_root(message).and_then(Message::try_from).expect("a message of Arrow");
        let (body, after) = body.split_at(message.body_length as usize);
        rest = after;
        match message.header.expect("a message has a header") {
            MessageHeader::Schema(schema) => {
                foreign.header = header(&schema);
                fields = schema.fields.unwrap_or_default();
                foreign.columns = fields.iter().map(described).collect();
            }
            MessageHeader::RecordBatch(batch) => {
                foreign.compressed &= batch.compression.is_some();
                foreign.batches.push(rows(&fields, &batch, body));
            }
            other => panic!("a stream of state has a schema and batches, not {other:?}"),
        }
    }
}

fn taken<const BYTES: usize>(from: &mut &[u8]) -> [u8; BYTES] {
    let (taken, rest) = from.split_first_chunk().expect("the stream goes on");
    *from = rest;
    *taken
}

fn header(schema: &Schema) -> Value {
    let metadata = schema.custom_metadata.as_deref().unwrap_or_default();
    let header =
        metadata.iter().find(|pair| pair.key.as_deref() == Some("watershed")).and_then(|pair| pair.value.as_ref());
    serde_json::from_str(header.expect("the schema carries a header")).expect("the header is JSON")
}

fn described(field: &Field) -> (String, bool, String) {
    let kind = match field.type_.as_ref().expect("a field has a type") {
        Type::Timestamp(at) => format!("Timestamp {:?} {:?}", at.unit, at.timezone),
        Type::Int(int) => format!("Int {} {}", int.bit_width, if int.is_signed { "signed" } else { "unsigned" }),
        Type::List(_) => {
            let of = field.children.as_ref().and_then(|children| children.first()).expect("a list is of something");
            format!("List of {}", described(of).2)
        }
        other => format!("{other:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
    };
    (field.name.clone().unwrap_or_default(), field.nullable, kind)
}

fn rows(fields: &[Field], batch: &RecordBatch, body: &[u8]) -> Vec<Value> {
    let compressed = batch.compression.as_ref().is_some_and(|compression| {
        assert_eq!(compression.codec, CompressionType::Lz4Frame);
        true
    });
    let content = |buffer: &Buffer| {
        let bytes = &body[buffer.offset as usize..][..buffer.length as usize];
        if compressed { decompressed(bytes) } else { bytes.to_vec() }
    };
    let buffers: Vec<Vec<u8>> = batch.buffers.as_deref().unwrap_or_default().iter().map(content).collect();
    let mut reading = Reading { nodes: batch.nodes.as_deref().unwrap_or_default(), buffers: &buffers };
    let columns: Vec<Vec<Value>> = fields.iter().map(|field| reading.column(field)).collect();
    assert!(reading.nodes.is_empty() && reading.buffers.is_empty(), "every buffer belongs to a column");
    assert!(columns.iter().all(|column| column.len() as i64 == batch.length));
    (0..batch.length as usize).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect()
}

/// A compressed buffer begins with its length, which is -1 where compression would not have paid.
fn decompressed(mut bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let length = i64::from_le_bytes(taken(&mut bytes));
    if length < 0 {
        return bytes.to_vec();
    }
    let mut content = Vec::new();
    lz4::Decoder::new(bytes).expect("an LZ4 frame").read_to_end(&mut content).expect("a whole LZ4 frame");
    assert_eq!(content.len() as i64, length);
    content
}

/// Columns take their nodes and buffers in the order of the fields, outer before inner.
struct Reading<'a> {
    nodes: &'a [FieldNode],
    buffers: &'a [Vec<u8>],
}

impl<'a> Reading<'a> {
    fn buffer(&mut self) -> &'a [u8] {
        let (buffer, rest) = self.buffers.split_first().expect("a buffer for every part of a column");
        self.buffers = rest;
        buffer
    }

    fn column(&mut self, field: &Field) -> Vec<Value> {
        let (node, rest) = self.nodes.split_first().expect("a node for every field");
        self.nodes = rest;
        let length = node.length as usize;
        let validity = self.buffer();
        let mut column = self.values(field, length);
        if node.null_count > 0 {
            let nulls = column.iter_mut().enumerate().filter(|(row, _)| !bit(validity, *row));
            assert_eq!(nulls.map(|(_, value)| *value = Value::Null).count() as i64, node.null_count);
        }
        column
    }

    fn values(&mut self, field: &Field, length: usize) -> Vec<Value> {
        match field.type_.as_ref().expect("a field has a type") {
            Type::Int(int) if int.is_signed && int.bit_width == 64 => {
                numbers(self.buffer(), length, i64::from_le_bytes)
            }
            Type::Int(int) if int.bit_width == 64 => numbers(self.buffer(), length, u64::from_le_bytes),
            Type::Int(int) if int.is_signed && int.bit_width == 32 => {
                numbers(self.buffer(), length, i32::from_le_bytes)
            }
            Type::Timestamp(_) => numbers(self.buffer(), length, i64::from_le_bytes),
            Type::FloatingPoint(float) if float.precision == Precision::Double => {
                numbers(self.buffer(), length, f64::from_le_bytes)
            }
            Type::Bool(_) => {
                let bits = self.buffer();
                (0..length).map(|row| bit(bits, row).into()).collect()
            }
            Type::Utf8(_) => {
                let (offsets, text) = (offsets(self.buffer(), length), self.buffer());
                offsets.windows(2).map(|at| std::str::from_utf8(&text[at[0]..at[1]]).expect("text").into()).collect()
            }
            Type::Binary(_) => {
                let (offsets, bytes) = (offsets(self.buffer(), length), self.buffer());
                offsets.windows(2).map(|at| json!(bytes[at[0]..at[1]])).collect()
            }
            Type::List(_) => {
                let offsets = offsets(self.buffer(), length);
                let of = field.children.as_ref().and_then(|children| children.first()).expect("a list is of something");
                let values = self.column(of);
                offsets.windows(2).map(|at| json!(values[at[0]..at[1]])).collect()
            }
            other => panic!("`{:?}` is {other:?}", field.name),
        }
    }
}

fn bit(bits: &[u8], at: usize) -> bool {
    bits[at / 8] >> (at % 8) & 1 == 1
}

fn numbers<const BYTES: usize, T: Into<Value>>(buffer: &[u8], length: usize, of: fn([u8; BYTES]) -> T) -> Vec<Value> {
    let (numbers, _) = buffer.as_chunks();
    numbers[..length].iter().map(|bytes| of(*bytes).into()).collect()
}

fn offsets(buffer: &[u8], length: usize) -> Vec<usize> {
    let (offsets, _) = buffer.as_chunks();
    let all: Vec<usize> = offsets.iter().map(|bytes| i32::from_le_bytes(*bytes) as usize).collect();
    if length == 0 { Vec::new() } else { all[..=length].to_vec() }
}

/// CRC-32 as in zlib, Ethernet and PNG: polynomial 0x04C11DB7, bits reflected.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[test]
fn the_checksum_is_the_well_known_one() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}
