//! Output ports that an operator declares besides `out`.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use arrow::array::RecordBatch;

use super::context::KeyContext;
use super::rows::Emitter;
use crate::error::Result;
use crate::row::{Of, Row};

/// A port besides `out`, declared by [`Declare::side_output`](super::Declare::side_output).
pub struct SideOutput<R> {
    pub(super) side: usize,
    pub(super) row: PhantomData<fn() -> R>,
}

impl<R: Row + 'static> SideOutput<R> {
    /// Puts a row out by this port.
    pub fn emit(&self, cx: &mut KeyContext, row: Of<'_, R>) {
        cx.side::<R>(self.side).emit(row);
    }
}

impl<R> Clone for SideOutput<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for SideOutput<R> {}

impl<R> fmt::Debug for SideOutput<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SideOutput").field(&self.side).finish()
    }
}

/// The rows that wait to leave by such a port.
pub(super) trait Side: Any {
    fn waiting(&self) -> usize;

    fn take(&mut self) -> Result<RecordBatch>;
}

pub(super) struct SideRows<R: Row>(pub(super) Emitter<R>);

impl<R: Row + 'static> Side for SideRows<R> {
    fn waiting(&self) -> usize {
        self.0.waiting()
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.0.take()
    }
}
