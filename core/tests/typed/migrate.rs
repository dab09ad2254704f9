//! State that another version of an operator takes over.

use watershed_core::assert_table;
use watershed_core::testing::{Result, Tested};

/// Operators of one name, each as a later version of the one before.
mod versions {
    use watershed_core::error::{Error, Result};
    use watershed_core::row::Row;
    use watershed_core::typed::{Earlier, Emitter, GroupState, Rows, StatefulOperator};
    use watershed_derive::operator;

    use crate::operators::{ByUser, UserCount};

    #[derive(Row)]
    pub(crate) struct Amount {
        pub(crate) v: i64,
    }

    /// A version: what it keeps, and what `count` it makes of that.
    macro_rules! version {
        ($module:ident, $version:expr, $state:item, $count:expr, |$from:ident, $earlier:ident| $migrate:expr) => {
            pub(crate) mod $module {
                use super::*;

                #[derive(Row, Default)]
                $state

                /// Sums up.
                #[operator(StatefulOperator)]
                pub(crate) struct Totals {}

                impl StatefulOperator for Totals {
                    type Key = ByUser<'static>;
                    type Input = Amount;
                    type State = Kept;
                    type Output = UserCount<'static>;

                    const VERSION: u32 = $version;

                    fn process(
                        &self,
                        key: ByUser,
                        rows: Rows<Amount>,
                        state: &mut GroupState<Kept>,
                        out: &mut Emitter<UserCount>,
                    ) -> Result<()> {
                        let mut kept = state.take_or_default();
                        let count: fn(&mut Kept, i64) -> i64 = $count;
                        let count = rows.map(|row| count(&mut kept, row.v)).last().unwrap_or(0);
                        state.update(kept);
                        out.emit(UserCount { user: key.user, count });
                        Ok(())
                    }

                    fn migrate(&self, $from: u32, $earlier: Earlier<'_>) -> Result<Option<Kept>> {
                        $migrate
                    }
                }
            }
        };
    }

    fn as_it_is<V: watershed_core::typed::State>(earlier: &Earlier) -> Result<Option<V>> {
        earlier.value().map(Some)
    }

    version!(
        first,
        0,
        pub(crate) struct Kept {
            pub(crate) total: i64,
        },
        |kept, v| {
            kept.total += v;
            kept.total
        },
        |_from, earlier| as_it_is(&earlier)
    );
    version!(
        with_default,
        0,
        pub(crate) struct Kept {
            #[row(default)]
            pub(crate) rows: u32,
            pub(crate) total: i64,
        },
        |kept, v| {
            kept.rows += 1;
            kept.total += v;
            kept.total * 100 + i64::from(kept.rows)
        },
        |_from, earlier| as_it_is(&earlier)
    );
    version!(
        without_default,
        0,
        pub(crate) struct Kept {
            pub(crate) rows: u32,
            pub(crate) total: i64,
        },
        |kept, _| i64::from(kept.rows),
        |_from, earlier| as_it_is(&earlier)
    );
    version!(
        narrower,
        0,
        pub(crate) struct Kept {
            pub(crate) total: i32,
        },
        |kept, _| i64::from(kept.total),
        |_from, earlier| as_it_is(&earlier)
    );
    version!(
        second,
        1,
        pub(crate) struct Kept {
            pub(crate) mean_of: Vec<i64>,
        },
        |kept, v| {
            kept.mean_of.push(v);
            kept.mean_of.iter().sum::<i64>() * 100 + kept.mean_of.len() as i64
        },
        |from, earlier| {
            assert_eq!((from, earlier.variable()), (0, "state"));
            let first::Kept { total } = earlier.value()?;
            match total {
                0 => Ok(None),
                1..1000 => Ok(Some(Kept { mean_of: vec![total] })),
                _ => Err(Error::other("it is too much")),
            }
        }
    );
}

use versions::{first, narrower, second, with_default, without_default};

fn tested(spec: impl watershed_core::node::OperatorSpec + 'static) -> Tested {
    Tested::new(spec).input("user STRING, v BIGINT")
}

fn left(rows: &str) -> Result<watershed_core::testing::Snapshot> {
    let mut harness = tested(first::Totals {}).partitions(2).harness()?;
    harness.feed("in", rows)?;
    harness.end_epoch()?;
    harness.snapshot()
}

#[test]
fn a_field_with_a_default_needs_no_migration() -> Result<()> {
    let snapshot = left("user | v \n a | 7 \n b | 5")?;
    for partitions in [2, 3] {
        let mut harness = tested(with_default::Totals {}).partitions(partitions).harness()?;
        harness.restore(&snapshot)?;
        assert_table!(harness.state()?.table("state")?, "user | rows | total \n a | 0 | 7 \n b | 0 | 5");
        harness.feed("in", "user | v \n a | 1")?;
        assert_table!(harness.end_epoch()?["out"], "user | count \n a | 801");
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_before_the_start_with_what_to_do() -> Result<()> {
    let snapshot = left("user | v \n a | 7")?;
    for (tested, words) in [
        (tested(without_default::Totals {}), "column `rows` (UInt32) is missing"),
        (tested(narrower::Totals {}), "`state` kept `total` as Int64, and it is Int32 now"),
    ] {
        let error = tested.harness()?.restore(&snapshot).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
        assert!(error.contains("raise its `VERSION` to 1, and say in `migrate` what becomes of it"), "{error}");
    }
    Ok(())
}

#[test]
fn another_version_makes_its_own_of_it_and_does_not_go_back() -> Result<()> {
    let snapshot = left("user | v \n a | 7 \n b | 5 \n gone | 0")?;
    let mut harness = tested(second::Totals {}).partitions(3).harness()?;
    harness.restore(&snapshot)?;
    assert_table!(harness.state()?.table("state")?, "user | mean_of \n a | [7] \n b | [5]");
    harness.feed("in", "user | v \n a | 1")?;
    assert_table!(harness.end_epoch()?["out"], "user | count \n a | 802");
    harness.crash()?;
    let error = tested(first::Totals {}).harness()?.restore(&harness.snapshot()?).expect_err("no way back").to_string();
    assert!(error.contains("does not go back to an earlier version"), "{error}");
    Ok(())
}

#[test]
fn an_error_in_migrate_names_the_key() -> Result<()> {
    let snapshot = left("user | v \n a | 7 \n b | 5000")?;
    let error = tested(second::Totals {}).harness()?.restore(&snapshot).expect_err("too much").to_string();
    assert!(error.contains("at key `user` = `b`: it is too much"), "{error}");
    Ok(())
}
