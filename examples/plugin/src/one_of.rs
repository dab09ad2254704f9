//! `OneOf`: some of the rows, as they are.

use watershed::prelude::*;

/// The rows whose activity (column `gt`) is one of a few.
#[operator(FilterRows, example: r#"OneOf(["walk", "bike"])"#)]
pub struct OneOf(
    /// The activities.
    pub Vec<String>,
);

/// What is looked at.
#[derive(Row)]
pub struct Activity<'a> {
    gt: Option<&'a str>,
}

impl FilterRows for OneOf {
    type Input = Activity<'static>;

    fn keep(&self, row: Activity) -> Result<bool> {
        Ok(row.gt.is_some_and(|activity| self.0.iter().any(|wanted| wanted == activity)))
    }
}
