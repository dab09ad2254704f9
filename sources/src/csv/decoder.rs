//! The decoder of one CSV file.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};
use watershed_core::error::{Error, Result};
use watershed_core::fault::listed;
use watershed_core::stream::column_names;

use super::{Dialect, FieldError, Fields};
use crate::records::{BadRecord, Column, Problem, ProblemKind, Record};

/// Decodes CSV records into the columns of a schema.
pub(crate) struct Decoder {
    schema: SchemaRef,
    dialect: Dialect,
    record: Record,
    /// The column of each field; `None` for one that nobody reads.
    targets: Vec<Option<usize>>,
    /// Columns that no field fills.
    absent: Vec<usize>,
    scratch: Vec<u8>,
    rows: usize,
}

impl Decoder {
    /// A decoder whose fields go by position, until a header says otherwise.
    pub(crate) fn new(schema: &SchemaRef, dialect: &Dialect) -> Result<Self> {
        if let Some(nested) =
            schema.fields().iter().find(|field| matches!(field.data_type(), DataType::List(_) | DataType::Struct(_)))
        {
            return Err(Error::BadInput(format!("column `{}` is nested, which a CSV field cannot be", nested.name())));
        }
        Ok(Self {
            record: Record::new(schema.fields())?,
            targets: (0..schema.fields().len()).map(Some).collect(),
            absent: Vec::new(),
            scratch: Vec::new(),
            rows: 0,
            dialect: dialect.clone(),
            schema: SchemaRef::clone(schema),
        })
    }

    /// Takes the record that names the columns.
    pub(crate) fn header(&mut self, record: &[u8]) -> Result<()> {
        let names = header_names(record, &self.dialect)?;
        self.targets = names.iter().map(|name| self.schema.index_of(name).ok()).collect();
        self.absent = (0..self.schema.fields().len()).filter(|index| !self.targets.contains(&Some(*index))).collect();
        if self.targets.iter().all(Option::is_none) {
            let (seen, declared) = (listed(&names), listed(column_names(&self.schema)));
            return Err(Error::BadInput(format!(
                "the first record ({seen}) names none of the columns {declared}; a file without a header is read with `header: false`"
            )));
        }
        Ok(())
    }

    /// Appends a record. On an error everything is as it was before.
    pub(crate) fn decode(&mut self, record: &[u8]) -> Result<(), BadRecord> {
        match self.try_decode(record) {
            Ok(()) => {
                self.rows += 1;
                Ok(())
            }
            Err(problem) => {
                self.record.truncate(self.rows);
                Err(problem.describe(record, self.schema.fields()))
            }
        }
    }

    fn try_decode(&mut self, record: &[u8]) -> Result<(), Problem> {
        if let Err(error) = std::str::from_utf8(record) {
            return Err(Problem::new(ProblemKind::Encoding, error.valid_up_to()));
        }
        let mut fields = Fields::new(record, &self.dialect);
        let mut count = 0;
        while let Some(field) = fields.next(&mut self.scratch)? {
            if let Some(Some(index)) = self.targets.get(count) {
                let column = &mut self.record.columns[*index];
                let is_null = !field.quoted && field.text == self.dialect.null.as_bytes();
                let read = if is_null { column.push_null() } else { column.read_field(field.text) };
                read.map_err(|kind| Problem::new(kind, field.at).in_column(*index))?;
            }
            count += 1;
        }
        if count != self.targets.len() {
            return Err(Problem::new(ProblemKind::FieldCount(count, self.targets.len()), 0));
        }
        for &index in &self.absent {
            let filled = self.record.columns[index].push_null();
            filled.map_err(|kind| Problem::new(kind, record.len()).in_column(index))?;
        }
        Ok(())
    }

    /// Appends a row of nulls, whatever the schema says.
    pub(crate) fn push_nulls(&mut self) {
        self.record.columns.iter_mut().for_each(Column::push_filler);
        self.rows += 1;
    }

    /// The rows so far, column by column; begins anew.
    pub(crate) fn finish_columns(&mut self) -> Result<Vec<ArrayRef>> {
        self.rows = 0;
        self.record.finish()
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        match error {
            FieldError::Unclosed(at) => Problem::new(ProblemKind::Expected("the quote to be closed"), at),
            FieldError::AfterQuote(at) => {
                Problem::new(ProblemKind::Expected("a delimiter after the closing quote"), at)
            }
        }
    }
}

/// The names in a header, each of which may stand there once.
pub(crate) fn header_names(record: &[u8], dialect: &Dialect) -> Result<Vec<String>> {
    let mut fields = Fields::new(record, dialect);
    let mut scratch = Vec::new();
    let mut names: Vec<String> = Vec::new();
    loop {
        let field = fields
            .next(&mut scratch)
            .map_err(|_| Error::BadInput("the header has a quote that is never closed".to_owned()))?;
        let Some(field) = field else { return Ok(names) };
        let name = String::from_utf8_lossy(field.text).into_owned();
        if names.contains(&name) {
            return Err(Error::BadInput(format!("the header names `{name}` twice")));
        }
        names.push(name);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::RecordBatch;
    use proptest::prelude::*;
    use watershed_core::schema::parse_ddl;

    use super::*;
    use crate::records::{Framing, testing::lines};

    fn dialect() -> Dialect {
        Dialect { delimiter: b',', quote: b'"', header: true, null: String::new() }
    }

    fn decoder(ddl: &str) -> Decoder {
        Decoder::new(&parse_ddl(ddl).expect("a schema"), &dialect()).expect("a decoder")
    }

    fn rows(decoder: &mut Decoder) -> Vec<String> {
        let columns = decoder.finish_columns().expect("columns");
        lines(&RecordBatch::try_new(Arc::clone(&decoder.schema), columns).expect("a batch"))
    }

    #[test]
    fn fields_become_values_of_their_columns() {
        let mut decoder =
            decoder("b BOOLEAN, i INT, d DOUBLE, s STRING, t TIMESTAMP, day DATE, n DECIMAL(5, 2), x BINARY");
        for record in [
            "True,7,1.5,plain,2015-02-24T10:00:00Z,2015-02-24,1.5,c0ff",
            " false , +07 ,.5e1, kept ,2015-02-24 10:00, 2015-02-24 ,-999.99,",
            ",,,,,,,",
            r#""true","1","NaN","","2015-02-24","2015-02-24","0","00""#,
        ] {
            decoder.decode(record.as_bytes()).expect(record);
        }
        assert_eq!(
            rows(&mut decoder),
            [
                "true | 7 | 1.5 | plain | 2015-02-24T10:00:00 | 2015-02-24 | 1.50 | c0ff",
                "false | 7 | 5.0 |  kept  | 2015-02-24T10:00:00 | 2015-02-24 | -999.99 | ∅",
                "∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅",
                "true | 1 | NaN |  | 2015-02-24T00:00:00 | 2015-02-24 | 0.00 | 00",
            ]
        );
    }

    #[test]
    fn a_bad_record_says_why_and_leaves_no_trace() {
        let mut decoder = decoder("a STRING, i TINYINT NOT NULL");
        for (record, words) in [
            ("x,abc", "column `i` is TINYINT: expected a whole number, found `abc`"),
            ("x,1.5", "column `i` is TINYINT: expected a whole number, found `1.5`"),
            ("x,128", "column `i` is TINYINT, which cannot hold `128`"),
            ("x,", "column `i` is NOT NULL"),
            ("x", "1 fields, where there should be 2"),
            ("x,1,2", "3 fields, where there should be 2"),
            ("\"x,1", "expected the quote to be closed at byte 0"),
            ("\"x\"y,1", "expected a delimiter after the closing quote at byte 3"),
        ] {
            let problem = decoder.decode(record.as_bytes()).expect_err(record);
            assert!(problem.0.contains(words), "{record}: {problem}");
        }
        assert!(decoder.decode(b"\xff,1").is_err());
        decoder.decode(b"y,1").expect("a good record");
        assert_eq!(rows(&mut decoder), ["y | 1"]);
    }

    #[test]
    fn a_header_finds_columns_by_name() {
        let mut decoder = decoder("a STRING, b INT, c INT");
        decoder.header(b"b,unread,\"a\"").expect("a header");
        decoder.decode(b"1,x,y").expect("a record");
        assert_eq!(rows(&mut decoder), ["y | 1 | ∅"]);
        let error = decoder.header(b"1,x,y").expect_err("not a header").to_string();
        assert!(
            error.contains("names none of the columns `a`, `b` and `c`") && error.contains("header: false"),
            "{error}"
        );
        let error = decoder.header(b"a,b,a").expect_err("not a header").to_string();
        assert!(error.contains("`a` twice"), "{error}");
    }

    /// The fields of well-formed CSV as the `csv` crate reads them, by way of arrow-csv.
    fn oracle(text: &str, columns: usize) -> Option<Vec<String>> {
        let fields: Vec<_> =
            (0..columns).map(|i| arrow::datatypes::Field::new(format!("c{i}"), DataType::Utf8, false)).collect();
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        let reader = arrow_csv::ReaderBuilder::new(schema).with_header(false).build(text.as_bytes()).expect("a reader");
        let batches: Vec<_> = reader.collect::<Result<_, _>>().ok()?;
        Some(batches.iter().flat_map(lines).collect())
    }

    fn field() -> impl Strategy<Value = String> {
        // Not empty: for the oracle, an empty field is an empty string, and here it is null.
        proptest::string::string_regex("[ab,\"\n é]{1,6}").expect("a pattern")
    }

    proptest! {
        #[test]
        fn fields_are_those_of_the_csv_crate(records in proptest::collection::vec(proptest::collection::vec(field(), 3), 1..6)) {
            let quoted = |field: &String| {
                let needs = field.contains([',', '"', '\n']);
                if needs { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.clone() }
            };
            let text: String = records.iter().map(|fields| fields.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n").collect();
            let framing = Framing::Quoted { delimiter: b',', quote: b'"' };
            let mut decoder = decoder("c0 STRING, c1 STRING, c2 STRING");
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                let (record, after) = rest.split_at(framing.record(rest));
                decoder.decode(&record[..record.len() - 1]).map_err(|problem| TestCaseError::fail(problem.0))?;
                rest = after;
            }
            let rows = rows(&mut decoder);
            prop_assert_eq!(Some(rows.clone()), oracle(&text, 3));
            prop_assert_eq!(rows, records.iter().map(|fields| fields.join(" | ")).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_read_or_refused(records in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let mut decoder = decoder("a INT, b STRING, c DECIMAL(4, 1)");
            let good = records.iter().filter(|record| decoder.decode(record).is_ok()).count();
            prop_assert_eq!(rows(&mut decoder).len(), good);
        }
    }
}
