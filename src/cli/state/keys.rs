//! Which rows are meant by the texts of their keys.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::boolean::or;
use arrow::datatypes::DataType;
use watershed_core::error::Result;
use watershed_sinks::table::value_text;

/// Texts that rows must have in their key columns.
#[derive(Debug)]
pub(super) struct KeyFilter {
    texts: Vec<String>,
}

impl KeyFilter {
    /// `texts`: each a value, or `column=value`.
    pub(super) fn new(texts: &[String]) -> Self {
        Self { texts: texts.to_vec() }
    }

    /// For each row of `key`, the columns that tell rows apart, whether it is meant; `None` when all are.
    pub(super) fn mask(&self, key: &RecordBatch) -> Result<Option<BooleanArray>> {
        // By column; what names no column is in one group, of any column.
        let mut wanted: BTreeMap<Option<usize>, Vec<&str>> = BTreeMap::new();
        for text in &self.texts {
            let named = text.split_once('=').and_then(|(name, value)| Some((key.schema().index_of(name).ok()?, value)));
            match named {
                Some((column, value)) => wanted.entry(Some(column)).or_default().push(value),
                None => wanted.entry(None).or_default().push(text),
            }
        }
        let mut mask: Option<BooleanArray> = None;
        for (column, values) in wanted {
            let columns = column.map_or(key.columns(), |column| &key.columns()[column..=column]);
            let mut found = BooleanArray::from(vec![false; key.num_rows()]);
            for column in columns {
                found = or(&found, &has_text(column, &values)?)?;
            }
            mask = Some(match mask {
                None => found,
                Some(mask) => arrow::compute::and(&mask, &found)?,
            });
        }
        Ok(mask)
    }

    /// The rows of `rows` that are meant.
    pub(super) fn of(&self, key: &RecordBatch, rows: &RecordBatch) -> Result<RecordBatch> {
        match self.mask(key)? {
            None => Ok(rows.clone()),
            Some(mask) => Ok(filter_record_batch(rows, &mask)?),
        }
    }
}

fn has_text(column: &ArrayRef, values: &[&str]) -> Result<BooleanArray> {
    if *column.data_type() == DataType::Utf8 {
        let matches = |text: Option<&str>| text.is_some_and(|text| values.contains(&text));
        return Ok(column.as_string::<i32>().iter().map(|text| Some(matches(text))).collect());
    }
    (0..column.len()).map(|row| Ok(Some(values.contains(&value_text(column, row)?.as_str())))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn every_column_that_is_named_must_have_one_of_its_texts() {
        let user: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("b"), None, Some("3")]));
        let level: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(3), None]));
        let key = RecordBatch::try_from_iter([("user", user), ("level", level)]).expect("two columns");
        for (texts, rows) in [
            (&[][..], &[0, 1, 2, 3][..]),
            (&["a"], &[0]),
            (&["a", "b"], &[0, 1]),
            (&["3"], &[2, 3]),
            (&["level=3"], &[2]),
            (&["user=a", "level=1"], &[0]),
            (&["user=a", "level=2"], &[]),
            (&["user=a", "user=b", "level=2"], &[1]),
            (&["level=null"], &[3]),
            (&["other=a"], &[]),
        ] {
            let filter = KeyFilter::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
            let mask = filter.mask(&key).expect("columns that have texts");
            let found: Vec<usize> = (0..4).filter(|row| mask.as_ref().is_none_or(|mask| mask.value(*row))).collect();
            assert_eq!(found, rows, "{texts:?}");
        }
    }
}
