//! How the rules of applying an entry changed from release to release.

use crate::dump::record::DataVersion;

/// The rules by which entries are applied: those of the release that *applies*, whatever the age
/// of the entries.
///
/// A command or member that the release did not know yet is applied as by the first that knew it,
/// unless a rule says otherwise.
///
/// ```
/// use metadump::apply::{ApplyRules, TransactionRule};
///
/// // What a server says in its handshake: 1.2.655, and 260304.0.0.
/// assert_eq!(ApplyRules::of_server(1_002_655), ApplyRules::V1_2_53);
/// assert_eq!(ApplyRules::of_server(260_304_000_000), ApplyRules::V260217);
/// assert_eq!(ApplyRules::CURRENT.transaction, TransactionRule::Converted);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApplyRules {
    /// How expired records are found and removed.
    pub cleaning: CleaningRule,
    /// The unit of `expire_at`.
    pub expiry: ExpiryRule,
    /// What is stored beside a value.
    pub meta: MetaRule,
    /// How a `TxnRequest` is understood.
    pub transaction: TransactionRule,
    /// Which keys have a prefix.
    pub prefix: PrefixRule,
    /// What a client's transaction id does.
    pub txid: TxIdRule,
}

/// How expired records are found and removed at the start of an entry with a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CleaningRule {
    /// Before 0.8.97: there is no index of expiry and nothing is removed. An upsert takes an
    /// expired record for absent.
    NoIndex,
    /// 0.8.97 to 1.2.52: of the first 32 entries of the index those that have expired. An upsert
    /// takes an expired record that is still there for absent.
    FirstEntries,
    /// 1.2.53 to 1.2.770: from the latest clock so far to this entry's. What was born expired by
    /// the latest clock is removed at once; so it is under all rules below, by this entry's clock.
    SinceLatest,
    /// 1.2.771 to 1.2.783: everything before this entry's clock.
    UpToNow,
    /// 1.2.784 and later: from the last entry's clock to this one's. A stale index entry removes
    /// whatever its key holds, where the rules above stop.
    SinceLast,
}

impl CleaningRule {
    /// Whether an upsert takes an expired record for absent.
    pub(super) const fn hides_expired(self) -> bool {
        matches!(self, Self::NoIndex | Self::FirstEntries)
    }
}

/// The unit of `expire_at`, and of what a time to live is turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpiryRule {
    /// Up to 1.2.769: seconds. A time to live is stored in seconds, rounded down.
    Seconds,
    /// 1.2.770 and later: milliseconds above 10^11, seconds otherwise. A time to live is stored in
    /// milliseconds.
    ByMagnitude,
}

/// What is stored beside a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetaRule {
    /// Up to 1.2.822: what the write gives, nothing when it gives nothing.
    AsGiven,
    /// 1.2.823 and later: always an object, with the clock of the entry in it.
    Stamped,
}

/// How a `TxnRequest` is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionRule {
    /// Up to 260216, nightly 1.2.882: in the form in which it comes. An OR of conditions holds
    /// always, an unknown comparison never; `Put.match_seq` and operations without a request are
    /// skipped.
    AsSent,
    /// 260217 to 260304: as branches; that of `if_then` only exists when `condition` or `if_then`
    /// has something, so that `else_then` runs when both are empty.
    ConvertedWithoutEmptyIf,
    /// Later: as branches, that of `if_then` always among them.
    Converted,
}

/// Which keys have a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrefixRule {
    /// Up to 1.2.776: those that start with it.
    StartsWith,
    /// 1.2.777 and later: those from the prefix up to the prefix with its last character
    /// increased. U+D7FF has no successor, so a prefix that ends in it has every later key.
    RangeOnly,
}

/// What a client's transaction id does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TxIdRule {
    /// Up to 1.2.776: an id suppresses a repeated command (to 1.2.52) or stops the server. What it
    /// takes to do so is not kept here, so an entry with an id is refused. None was ever seen.
    Refused,
    /// 1.2.777 and later: it is not read.
    Ignored,
}

impl ApplyRules {
    /// After 260304: nightly 1.2.890 and later.
    pub const CURRENT: Self = Self {
        cleaning: CleaningRule::SinceLast,
        expiry: ExpiryRule::ByMagnitude,
        meta: MetaRule::Stamped,
        transaction: TransactionRule::Converted,
        prefix: PrefixRule::RangeOnly,
        txid: TxIdRule::Ignored,
    };
    /// 260217 to 260304, which is in no nightly.
    pub const V260217: Self =
        Self { transaction: TransactionRule::ConvertedWithoutEmptyIf, ..Self::CURRENT };
    /// 1.2.823 to 1.2.882 (260205).
    pub const V1_2_823: Self = Self { transaction: TransactionRule::AsSent, ..Self::V260217 };
    /// 1.2.784 to 1.2.822.
    pub const V1_2_784: Self = Self { meta: MetaRule::AsGiven, ..Self::V1_2_823 };
    /// 1.2.777 to 1.2.783.
    pub const V1_2_777: Self = Self { cleaning: CleaningRule::UpToNow, ..Self::V1_2_784 };
    /// 1.2.771 to 1.2.776.
    pub const V1_2_771: Self =
        Self { prefix: PrefixRule::StartsWith, txid: TxIdRule::Refused, ..Self::V1_2_777 };
    /// 1.2.770.
    pub const V1_2_770: Self = Self { cleaning: CleaningRule::SinceLatest, ..Self::V1_2_771 };
    /// 1.2.53 to 1.2.769: data version V002, V003 and the first of V004.
    pub const V1_2_53: Self = Self { expiry: ExpiryRule::Seconds, ..Self::V1_2_770 };
    /// 0.8.97 to 1.2.52: data versions V0 and V001.
    pub const V0_8_97: Self = Self { cleaning: CleaningRule::FirstEntries, ..Self::V1_2_53 };
    /// Before 0.8.97.
    pub const OLDEST: Self = Self { cleaning: CleaningRule::NoIndex, ..Self::V0_8_97 };

    /// The rules of the last releases that wrote a data version, which is what a dump shows.
    pub const fn of_data_version(version: DataVersion) -> Self {
        match version {
            DataVersion::V0 | DataVersion::V001 => Self::V0_8_97,
            DataVersion::V002 | DataVersion::V003 => Self::V1_2_53,
            DataVersion::V004 => Self::CURRENT,
        }
    }

    /// The rules of a server, by the version that it sends in a handshake: `major * 1_000_000 +
    /// minor * 1_000 + patch` of a nightly, or, since nightly 1.2.880, of its own version, which
    /// begins with a date such as 260304.
    pub const fn of_server(version: u64) -> Self {
        match version {
            ..8_097 => Self::OLDEST,
            8_097..1_002_053 => Self::V0_8_97,
            1_002_053..1_002_770 => Self::V1_2_53,
            1_002_770 => Self::V1_2_770,
            1_002_771..1_002_777 => Self::V1_2_771,
            1_002_777..1_002_784 => Self::V1_2_777,
            1_002_784..1_002_823 => Self::V1_2_784,
            1_002_823..1_002_890 => Self::V1_2_823,
            1_002_890..200_000_000_000 => Self::CURRENT,
            200_000_000_000..260_217_000_000 => Self::V1_2_823,
            260_217_000_000..260_305_000_000 => Self::V260217,
            260_305_000_000.. => Self::CURRENT,
        }
    }
}

impl Default for ApplyRules {
    fn default() -> Self {
        Self::CURRENT
    }
}
