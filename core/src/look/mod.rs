//! What a viewer needs: unpacking in pieces, work shared among workers, where lines are, what
//! matches, what differs, what a value means, what a new dump comes to.

pub mod browse;
pub mod compare;
pub mod decode;
pub mod gunzip;
pub mod index;
pub mod making;
pub mod search;
#[cfg(test)]
mod tests;
pub mod unzstd;
pub mod workers;
