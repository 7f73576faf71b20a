//! What a viewer needs: unpacking in pieces, work shared among workers, where lines are, what
//! matches, what differs, what a value means.

pub mod browse;
pub mod compare;
pub mod decode;
pub mod gunzip;
pub mod index;
pub mod search;
pub mod unzstd;
pub mod workers;
