//! How operators are written over rows: the types that the traits of operators are built from fit together.

use arrow::array::AsArray;
use watershed::error::Result;
use watershed::row::{Of, ReadRow, Row, Serde, Value, batch_of};

trait State: for<'a> Value<Of<'a> = Self> + Send + 'static {}
impl<S: for<'a> Value<Of<'a> = S> + Send + 'static> State for S {}

struct Rows<'a, I: ReadRow> {
    bound: I::Bound<'a>,
    rows: std::ops::Range<usize>,
}

impl<'a, I: ReadRow> Iterator for Rows<'a, I> {
    type Item = I::Item<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next().map(|row| I::get(&self.bound, row))
    }
}

struct Emitter<O: Row>(O::Builder, usize);

impl<O: Row> Emitter<O> {
    fn emit(&mut self, row: Of<'_, O>) {
        self.1 += 1;
        O::push(&mut self.0, row);
    }
}

trait Operator {
    type Key: Row;
    type Input: ReadRow;
    type State: State;
    type Output: Row;

    fn process(
        &self,
        key: Of<'_, Self::Key>,
        rows: Rows<Self::Input>,
        state: &mut Self::State,
        out: &mut Emitter<Self::Output>,
    ) -> Result<()>;
}

#[derive(Row)]
struct ByUser<'a> {
    user: &'a str,
}

#[derive(Row)]
struct Reading<'a> {
    activity: Option<&'a str>,
}

#[derive(Default, Row)]
struct Current {
    activity: String,
}

#[derive(Debug, PartialEq, Row)]
struct Seen<'a> {
    user: &'a str,
    activity: &'a str,
}

struct CurrentActivity;

impl Operator for CurrentActivity {
    type Key = ByUser<'static>;
    type Input = Reading<'static>;
    type State = Current;
    type Output = Seen<'static>;

    fn process(&self, key: ByUser, rows: Rows<Reading>, state: &mut Current, out: &mut Emitter<Seen>) -> Result<()> {
        for row in rows {
            if let Some(activity) = row.activity {
                activity.clone_into(&mut state.activity);
            }
            out.emit(Seen { user: key.user, activity: row.activity.unwrap_or(&state.activity) });
        }
        Ok(())
    }
}

/// The same over rows that serde reads.
struct Activities;

#[watershed::record]
struct AnyReading {
    activity: Option<String>,
}

impl Operator for Activities {
    type Key = ByUser<'static>;
    type Input = Serde<AnyReading>;
    type State = u64;
    type Output = Seen<'static>;

    fn process(
        &self,
        key: ByUser,
        rows: Rows<Serde<AnyReading>>,
        state: &mut u64,
        out: &mut Emitter<Seen>,
    ) -> Result<()> {
        for row in rows {
            let row = row?;
            *state += 1;
            out.emit(Seen { user: key.user, activity: row.activity.as_deref().unwrap_or("none") });
        }
        Ok(())
    }
}

fn run<O: Operator>(
    operator: &O,
    key: Of<'_, O::Key>,
    input: &arrow::array::RecordBatch,
    state: &mut O::State,
) -> Result<Vec<arrow::array::ArrayRef>> {
    let bound = O::Input::bind(input)?;
    let mut out = Emitter(O::Output::builder(), 0);
    operator.process(key, Rows { bound, rows: 0..input.num_rows() }, state, &mut out)?;
    Ok(O::Output::finish_columns(&mut out.0))
}

#[test]
fn an_operator_names_its_rows_without_lifetimes() {
    let user = "a".to_owned();
    let input = batch_of::<Reading>([Reading { activity: Some("walk") }, Reading { activity: None }]);
    let mut state = Current::default();
    let columns = run(&CurrentActivity, ByUser { user: &user }, &input, &mut state).expect("it fits");
    assert_eq!(columns[0].len(), 2);
    assert_eq!(state.activity, "walk");

    let mut count = 0;
    let columns = run(&Activities, ByUser { user: &user }, &input, &mut count).expect("it fits");
    assert_eq!((columns[1].as_string::<i32>().value(1), count), ("none", 2));
}
