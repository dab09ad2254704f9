//! The operators of one's own that are compared: what their author would write for the same questions.

use watershed::prelude::*;

/// Rows and the sum of `x` per user, anew in each epoch.
#[operator(StatefulOperator)]
struct RowCounts {}

/// As `RowCounts`, with rows that serde reads.
#[operator(StatefulOperator)]
struct SerdeCounts {}

/// The square of `x`, besides the columns that were there.
#[operator(MapRows)]
struct Squares {}

#[derive(Row)]
struct User<'a> {
    #[row(name = "User")]
    user: &'a str,
}

#[derive(Row)]
struct Reading {
    x: f64,
}

/// The same for serde.
#[record]
struct Record {
    x: f64,
}

#[derive(Row, Default)]
struct Counted {
    count: i64,
    sum: f64,
}

#[derive(Row)]
struct Counts<'a> {
    #[row(name = "User")]
    user: &'a str,
    count: i64,
    sum: f64,
    mean: f64,
}

#[derive(Row)]
struct Square {
    square: f64,
}

impl StatefulOperator for RowCounts {
    type Key = User<'static>;
    type Input = Reading;
    type State = Counted;
    type Output = Counts<'static>;

    fn output_mode(&self) -> OutputMode {
        OutputMode::Update
    }

    fn process(
        &self,
        User { user }: User,
        rows: Rows<Reading>,
        state: &mut GroupState<Counted>,
        out: &mut Emitter<Counts>,
    ) -> Result<()> {
        let Counted { mut count, mut sum } = state.take_or_default();
        for Reading { x } in rows {
            count += 1;
            sum += x;
        }
        out.emit(Counts { user, count, sum, mean: sum / count as f64 });
        state.update(Counted { count, sum });
        Ok(())
    }
}

impl StatefulOperator for SerdeCounts {
    type Key = User<'static>;
    type Input = Serde<Record>;
    type State = Counted;
    type Output = Counts<'static>;

    fn output_mode(&self) -> OutputMode {
        OutputMode::Update
    }

    fn process(
        &self,
        User { user }: User,
        rows: Rows<Serde<Record>>,
        state: &mut GroupState<Counted>,
        out: &mut Emitter<Counts>,
    ) -> Result<()> {
        let Counted { mut count, mut sum } = state.take_or_default();
        for row in rows {
            count += 1;
            sum += row?.x;
        }
        out.emit(Counts { user, count, sum, mean: sum / count as f64 });
        state.update(Counted { count, sum });
        Ok(())
    }
}

impl MapRows for Squares {
    type Input = Reading;
    type Output = Square;

    fn keeps_columns(&self) -> bool {
        true
    }

    fn map(&self, Reading { x }: Reading) -> Result<Square> {
        Ok(Square { square: x * x })
    }
}
