//! Syntax tree to typed expression, and typed expression to one that runs.
//!
//! On the way every timestamp becomes microseconds where it is made, so that no comparison falls back to whole seconds;
//! the clock's functions become references to a hidden last column that holds the epoch's processing time, so that a
//! replay sees the same instant; and integer arithmetic reports an overflow instead of wrapping around.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::cast_with_options;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampNanosecondType};
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, DFSchemaRef, DataFusionError, Result};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::expressions::BinaryExpr;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion_sql::planner::{NullOrdering, ParserOptions, PlannerContext, SqlToRel};
use datafusion_sql::sqlparser::ast::{Expr as SqlExpr, Visit, Visitor};
use watershed_core::fault::Fault;
use watershed_core::schema::TIMESTAMP;

use super::functions::FUNCTIONS;
use super::length::compared_by_length;
use super::normal::STRICT;
use super::syntax::Parsed;

/// Plans expressions over one schema.
#[derive(Clone, Debug)]
pub(crate) struct Planner {
    /// The input's columns and, last, the clock.
    pub(crate) schema: SchemaRef,
    columns: DFSchemaRef,
    /// The name of the clock's column, which no other column has.
    clock: String,
}

impl Planner {
    /// A planner for expressions over the columns of `schema`.
    pub(crate) fn new(schema: &Schema) -> Result<Self> {
        let mut clock = "processing time".to_owned();
        while schema.column_with_name(&clock).is_some() {
            clock.push('_');
        }
        Self::with_clock(schema, clock)
    }

    /// A planner over other columns, for what this one has planned: the clock keeps its name.
    pub(crate) fn over(&self, schema: &Schema) -> Result<Self> {
        Self::with_clock(schema, self.clock.clone())
    }

    fn with_clock(schema: &Schema, clock: String) -> Result<Self> {
        let mut fields: Vec<Arc<Field>> = schema.fields().iter().map(Arc::clone).collect();
        fields.push(Arc::new(Field::new(&clock, TIMESTAMP, false)));
        let schema = Arc::new(Schema::new(fields));
        let columns = Arc::new(DFSchema::try_from(Arc::clone(&schema))?);
        Ok(Self { schema, columns, clock })
    }

    /// The typed expression; the fault names the smallest part that cannot be typed.
    pub(crate) fn plan(&self, parsed: &Parsed) -> Result<Expr, Fault> {
        self.plan_part(parsed, &parsed.tree)
    }

    /// The same for a part of the tree.
    pub(crate) fn plan_part(&self, parsed: &Parsed, part: &SqlExpr) -> Result<Expr, Fault> {
        self.typed(part).map_err(|cause| {
            let mut search = Search { planner: self, found: None };
            let _ = part.visit(&mut search);
            let (place, cause) = match search.found {
                Some((smallest, deeper)) => (parsed.place_of(&smallest), deeper),
                None => (parsed.place_of(part), cause),
            };
            type_fault(&cause).within(place)
        })
    }

    fn typed(&self, tree: &SqlExpr) -> Result<Expr> {
        let options = ParserOptions::new()
            .with_enable_ident_normalization(false)
            .with_map_string_types_to_utf8view(false)
            .with_default_null_ordering(NullOrdering::NullsMin);
        let planner = SqlToRel::new_with_options(&*FUNCTIONS, options);
        let expression = planner.sql_to_expr(tree.clone(), &self.columns, &mut PlannerContext::new())?;
        let expression = expression.transform_up(|part| Ok(self.rewrite(part))).data()?;
        let expression = self.simplifier().coerce(expression, &self.columns)?;
        expression.get_type(&*self.columns)?;
        self.check_constants(&expression)?;
        Ok(expression)
    }

    /// Refuses integer arithmetic on constants that overflows: simplifying would wrap it around in silence.
    fn check_constants(&self, expression: &Expr) -> Result<()> {
        let no_rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let check = |part: &Expr| {
            if let Expr::BinaryExpr(binary) = part
                && matches!(binary.op, Operator::Plus | Operator::Minus | Operator::Multiply)
                && !part.any_column_refs()
            {
                let side = |side: &Expr| self.simplifier().simplify(side.clone()).map(Box::new);
                let sides = (side(&binary.left)?, side(&binary.right)?);
                if matches!((&*sides.0, &*sides.1), (Expr::Literal(..), Expr::Literal(..))) {
                    let part = Expr::BinaryExpr(datafusion_expr::BinaryExpr::new(sides.0, binary.op, sides.1));
                    self.checked(&part)?.evaluate(&no_rows)?;
                }
            }
            Ok(TreeNodeRecursion::Continue)
        };
        expression.apply(check).map(drop)
    }

    /// Microseconds, lengths of time and the epoch's clock for one part of an expression.
    fn rewrite(&self, part: Expr) -> Transformed<Expr> {
        let clock = || Expr::Column(Column::new_unqualified(self.clock.clone()));
        match &part {
            Expr::ScalarFunction(call) => match call.func.name() {
                "now" => return Transformed::yes(clock()),
                "current_date" => return Transformed::yes(Expr::Cast(Cast::new(Box::new(clock()), DataType::Date32))),
                "current_time" => {
                    let time = DataType::Time64(TimeUnit::Microsecond);
                    return Transformed::yes(Expr::Cast(Cast::new(Box::new(clock()), time)));
                }
                _ => {}
            },
            Expr::Cast(_) | Expr::TryCast(_) | Expr::Literal(..) => {}
            Expr::BinaryExpr(_) | Expr::Between(_) => {
                let type_of = |part: &Expr| part.get_type(&*self.columns).ok();
                let constant = |part: &Expr| match self.simplified(part) {
                    Ok(Expr::Literal(value, _)) => Some(value),
                    _ => None,
                };
                return compared_by_length(part, type_of, constant);
            }
            _ => return Transformed::no(part),
        }
        match part.get_type(&*self.columns) {
            Ok(DataType::Timestamp(unit, _)) if unit != TimeUnit::Microsecond => {
                let function =
                    Arc::new(ScalarUDF::from(ToMicros { signature: Signature::any(1, Volatility::Immutable) }));
                Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![part])))
            }
            _ => Transformed::no(part),
        }
    }

    fn simplifier(&self) -> ExprSimplifier {
        ExprSimplifier::new(SimplifyContext::builder().with_schema(Arc::clone(&self.columns)).build())
    }

    /// The same expression with its constants computed.
    pub(crate) fn simplified(&self, expression: &Expr) -> Result<Expr> {
        self.simplifier().simplify(expression.clone())
    }

    /// The expression that runs.
    pub(crate) fn lower(&self, expression: &Expr) -> Result<Arc<dyn PhysicalExpr>> {
        self.checked(&self.simplified(expression)?)
    }

    /// The expression that runs, with arithmetic that reports an overflow.
    fn checked(&self, expression: &Expr) -> Result<Arc<dyn PhysicalExpr>> {
        let physical = create_physical_expr(
            expression,
            &self.columns,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )?;
        let checked = |part: Arc<dyn PhysicalExpr>| {
            Ok(match part.downcast_ref::<BinaryExpr>() {
                Some(binary) => {
                    Transformed::yes(Arc::new(binary.clone().with_fail_on_overflow(true)) as Arc<dyn PhysicalExpr>)
                }
                None => Transformed::no(part),
            })
        };
        physical.transform_up(checked).data()
    }

    /// Whether `expression` asks for the time.
    pub(crate) fn uses_clock(&self, expression: &Expr) -> bool {
        let mut found = false;
        // The closure never fails.
        let _ = expression.apply(|part| {
            found |= matches!(part, Expr::Column(column) if column.name == self.clock);
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        found
    }

    /// The columns as DataFusion sees them.
    pub(crate) fn columns(&self) -> &DFSchemaRef {
        &self.columns
    }
}

/// Looks for the smallest part of a tree that cannot be planned.
struct Search<'a> {
    planner: &'a Planner,
    found: Option<(SqlExpr, DataFusionError)>,
}

impl Visitor for Search<'_> {
    type Break = ();

    // Parts are left from the inside out, so the first that fails is the smallest.
    fn post_visit_expr(&mut self, part: &SqlExpr) -> ControlFlow<()> {
        match self.planner.typed(part) {
            Ok(_) => ControlFlow::Continue(()),
            Err(cause) => {
                self.found = Some((part.clone(), cause));
                ControlFlow::Break(())
            }
        }
    }
}

/// A fault about types or an unsupported construct.
pub(crate) fn type_fault(cause: &DataFusionError) -> Fault {
    Fault::new("bad_expression", format!("bad expression: {}", cause_of(cause))).label("cannot be evaluated")
}

/// What DataFusion says at the root of an error, in one line and without its class.
pub(crate) fn cause_of(error: &DataFusionError) -> String {
    let root = error.find_root();
    let message = match root {
        DataFusionError::ArrowError(cause, _) => cause.to_string(),
        other => other.message().into_owned(),
    };
    let message = message.split("\n\nbacktrace:").next().unwrap_or_default();
    // DataFusion blames itself for what it did not expect, and names its own steps.
    let message = message.split("This issue was likely caused by").next().unwrap_or_default();
    let lines = message
        .lines()
        .map(|line| line.trim().trim_start_matches("Error during planning: ").trim_end_matches(['.', ';', ' ']));
    let mut lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    lines.dedup();
    let line = lines.join("; ");
    let mut letters = line.chars().peekable();
    let first = letters.next();
    // A word in capitals stays as it is.
    let lower = letters.peek().is_some_and(|second| !second.is_uppercase());
    first
        .map(|first| if lower { first.to_lowercase().collect::<String>() } else { first.to_string() })
        .into_iter()
        .chain([letters.collect()])
        .collect()
}

/// Brings a timestamp to microseconds and leaves its zone.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToMicros {
    signature: Signature,
}

impl ScalarUDFImpl for ToMicros {
    fn name(&self) -> &'static str {
        "to_micros"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match arguments {
            [DataType::Timestamp(_, zone)] => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            _ => TIMESTAMP,
        })
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = call.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { call.number_rows };
        let arrays = ColumnarValue::values_to_arrays(&call.args)?;
        let [array] = arrays.as_slice() else {
            return datafusion_common::internal_err!(
                "to_micros takes one timestamp and got {rows} rows of {}",
                arrays.len()
            );
        };
        let micros: ArrayRef = match array.data_type() {
            DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
                let nanos = array.as_primitive::<TimestampNanosecondType>();
                let micros: TimestampMicrosecondArray = nanos.unary(|nanos| nanos.div_euclid(1000));
                Arc::new(micros.with_timezone_opt(zone.clone()))
            }
            other => cast_with_options(array, &self.return_type(std::slice::from_ref(other))?, &STRICT)?,
        };
        if is_scalar {
            return Ok(ColumnarValue::Scalar(datafusion_common::ScalarValue::try_from_array(&micros, 0)?));
        }
        Ok(ColumnarValue::Array(micros))
    }
}
