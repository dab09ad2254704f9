//! Keys to dense ids: the hash index of a slot.
/// Keys of a slot, each with a dense id in the order of its first appearance.
#[derive(Debug, Default)]
pub struct Interner;
