//! Graph files against small nodes of our own: what loads, what is refused and how that reads, what prints back.

mod hostile;
mod invalid;
mod nodes;
mod printing;
mod programs;
mod typing;
