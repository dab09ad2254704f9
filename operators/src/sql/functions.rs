//! The functions that expressions may call, and how they are told from each other.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Result, TableReference, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, Volatility, WindowUDF};
use datafusion_sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo};
use watershed_core::schema::TIMESTAMP;

/// All functions, by every name they answer to.
pub(super) static FUNCTIONS: LazyLock<Functions> = LazyLock::new(Functions::new);

/// Further names of functions, for people who come from Spark.
const ALIASES: &[(&str, &str)] =
    &[("localtimestamp", "now"), ("localtime", "current_time"), ("curdate", "current_date")];

/// Functions that SQL calls without brackets.
const WITHOUT_BRACKETS: &[&str] = &["current_timestamp", "current_date", "current_time", "localtimestamp", "localtime"];

/// Whether a word alone asks for the time, so that it is no column.
pub(crate) fn is_clock(word: &str) -> bool {
    WITHOUT_BRACKETS.contains(&word.to_lowercase().as_str())
}

/// What a function's name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A value from each row.
    Scalar,
    /// The same, but another value every time it is asked.
    Unrepeatable,
    /// A value from many rows.
    Aggregate,
}

/// The functions linked in.
#[derive(Debug)]
pub(super) struct Functions {
    scalars: BTreeMap<String, Arc<ScalarUDF>>,
    aggregates: BTreeMap<String, Arc<AggregateUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    types: Arc<dyn TypePlanner>,
    options: ConfigOptions,
}

impl Functions {
    fn new() -> Self {
        let mut scalars = BTreeMap::new();
        let built_in = datafusion_functions::all_default_functions();
        for function in built_in.into_iter().chain(datafusion_functions_nested::all_default_nested_functions()) {
            for name in names(function.name(), function.aliases()) {
                scalars.insert(name, Arc::clone(&function));
            }
        }
        for (alias, name) in ALIASES {
            if let Some(function) = scalars.get(*name).map(Arc::clone) {
                scalars.entry((*alias).to_owned()).or_insert(function);
            }
        }
        let mut aggregates = BTreeMap::new();
        for function in datafusion_functions_aggregate::all_default_aggregate_functions() {
            for name in names(function.name(), function.aliases()) {
                aggregates.insert(name, Arc::clone(&function));
            }
        }
        let planners: Vec<Arc<dyn ExprPlanner>> = vec![
            Arc::new(datafusion_functions::core::planner::CoreFunctionPlanner {}),
            Arc::new(datafusion_functions_nested::planner::NestedFunctionPlanner),
            Arc::new(datafusion_functions_nested::planner::FieldAccessPlanner),
            Arc::new(datafusion_functions::datetime::planner::DatetimeFunctionPlanner),
            Arc::new(datafusion_functions::unicode::planner::UnicodeFunctionPlanner),
            Arc::new(datafusion_functions_aggregate::planner::AggregateFunctionPlanner),
        ];
        Self { scalars, aggregates, planners, types: Arc::new(Microseconds), options: ConfigOptions::default() }
    }

    /// What `name`, in lower case, stands for.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        if let Some(function) = self.scalars.get(name) {
            let repeatable = function.signature().volatility != Volatility::Volatile;
            return Some(if repeatable { Kind::Scalar } else { Kind::Unrepeatable });
        }
        if name == "make_map" {
            return Some(Kind::Scalar);
        }
        self.aggregates.contains_key(name).then_some(Kind::Aggregate)
    }

    /// The names of all functions.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.scalars.keys().chain(self.aggregates.keys()).map(String::as_str)
    }
}

fn names(name: &str, aliases: &[String]) -> Vec<String> {
    std::iter::once(name).chain(aliases.iter().map(String::as_str)).map(str::to_lowercase).collect()
}

impl ContextProvider for Functions {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("there are no tables here, so no `{name}`")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::clone(&self.types))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalars.get(name).map(Arc::clone)
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregates.get(name).map(Arc::clone)
    }

    fn get_window_meta(&self, _: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.scalars.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.aggregates.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Reads `TIMESTAMP` in a cast as the one timestamp there is, and `STRING` as DDL does.
#[derive(Debug)]
struct Microseconds;

impl TypePlanner for Microseconds {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        let data_type = match sql_type {
            SqlType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) | SqlType::Datetime(_) => {
                TIMESTAMP
            }
            SqlType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
            SqlType::String(_) => DataType::Utf8,
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", data_type, true))))
    }
}
