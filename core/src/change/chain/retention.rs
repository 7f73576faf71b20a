//! Which backups are kept: the rules of restic's `forget`, which operators know.
//!
//! Each rule goes through the backups from the youngest to the oldest. That of the hours keeps the
//! youngest of each hour that has any, up to its number, and so do those of days, weeks, months and
//! years; hours without a backup do not count. Where a rule has not found as many as it may keep, it
//! keeps the oldest as well. What no rule keeps is forgotten. Hours and days are those of UTC, weeks
//! begin on Monday.

use std::fmt;
use std::str::FromStr;

use time::{Date, Duration, Month, OffsetDateTime};

/// How many are kept by each rule; rules without a number keep none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// The youngest.
    pub last: Option<u64>,
    /// The youngest of each hour.
    pub hourly: Option<u64>,
    /// The youngest of each day.
    pub daily: Option<u64>,
    /// The youngest of each week.
    pub weekly: Option<u64>,
    /// The youngest of each month.
    pub monthly: Option<u64>,
    /// The youngest of each year.
    pub yearly: Option<u64>,
    /// All that are so much older than the youngest, or less.
    pub within: Option<Within>,
}

/// A time by the calendar: `1y5m7d2h`, where `m` are months.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Within {
    /// Years.
    pub years: i32,
    /// Months.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Hours.
    pub hours: i32,
}

/// A text that is no time by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected numbers with y, m (months), d or h, such as 1y5m7d2h or 14d")]
pub struct NotWithin;

impl FromStr for Within {
    type Err = NotWithin;

    fn from_str(text: &str) -> Result<Self, NotWithin> {
        let mut within = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or(NotWithin)?;
            let (number, unit) = rest.split_at_checked(end).ok_or(NotWithin)?;
            let number: i32 = number.parse().map_err(|_| NotWithin)?;
            let place = match unit.chars().next() {
                Some('y') => &mut within.years,
                Some('m') => &mut within.months,
                Some('d') => &mut within.days,
                Some('h') => &mut within.hours,
                _ => return Err(NotWithin),
            };
            // No calendar goes on for longer.
            *place = place.saturating_add(number).min(MOST);
            rest = unit.get(1..).unwrap_or_default();
        }
        if text.is_empty() { Err(NotWithin) } else { Ok(within) }
    }
}

/// The most of any unit.
const MOST: i32 = 1_000_000;

impl Within {
    /// Whether a time is within so much of the youngest, which always is.
    fn keeps(self, time_ms: u64, youngest_ms: Option<u64>) -> bool {
        youngest_ms.is_none_or(|youngest_ms| {
            let since = self.before(time(youngest_ms));
            // Before the calendar begins there is nothing.
            time_ms >= youngest_ms || since.is_none_or(|since| time(time_ms) > since)
        })
    }

    /// The time so much before another; none before the calendar begins.
    fn before(self, time: OffsetDateTime) -> Option<OffsetDateTime> {
        let months = time.year().checked_sub(self.years)?.checked_mul(12)?;
        let months = months.checked_add(i32::from(u8::from(time.month())) - 1)?;
        let months = months.checked_sub(self.months)?;
        let month = u8::try_from(months.rem_euclid(12) + 1).ok()?;
        let month = Month::try_from(month).ok()?;
        // A day that the month does not have is one of the next.
        let first = Date::from_calendar_date(months.div_euclid(12), month, 1).ok()?;
        let days = i64::from(time.day()) - 1 - i64::from(self.days);
        let date = first.checked_add(Duration::days(days))?;
        time.replace_date(date).checked_sub(Duration::hours(self.hours.into()))
    }
}

/// Why a backup is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is one of the youngest.
    Last,
    /// It is the youngest of its hour.
    Hourly,
    /// It is the youngest of its day.
    Daily,
    /// It is the youngest of its week.
    Weekly,
    /// It is the youngest of its month.
    Monthly,
    /// It is the youngest of its year.
    Yearly,
    /// It is young enough.
    Within,
    /// One that is kept goes on from it.
    Needed,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Last => "last",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
            Self::Within => "within",
            Self::Needed => "needed",
        })
    }
}

/// A backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// When it was written, milliseconds since 1970.
    pub time_ms: u64,
    /// What it goes on from, by its place among the backups; none for a whole dump.
    pub parent: Option<usize>,
}

impl Retention {
    /// Whether no rule keeps anything.
    pub fn keeps_nothing(&self) -> bool {
        self.within.is_none() && self.rules().iter().all(|rule| rule.left == 0)
    }

    /// Why each backup is kept; those without a reason are forgotten. What one that is kept goes on
    /// from is kept, too. The rules count from the youngest that is not of the future at `now_ms`.
    pub fn reasons(&self, backups: &[Backup], now_ms: u64) -> Vec<Vec<Reason>> {
        let mut reasons = vec![Vec::new(); backups.len()];
        let mut order = Vec::from_iter(backups.iter().enumerate());
        order.sort_by_key(|(at, backup)| std::cmp::Reverse((backup.time_ms, *at)));
        let youngest = backups.iter().map(|backup| backup.time_ms).filter(|ms| *ms <= now_ms).max();
        let mut rules = self.rules();
        for (place, (at, backup)) in order.iter().enumerate() {
            let Some(reasons) = reasons.get_mut(*at) else { continue };
            let time = time(backup.time_ms);
            if self.within.is_some_and(|within| within.keeps(backup.time_ms, youngest)) {
                reasons.push(Reason::Within);
            }
            let is_oldest = place + 1 == order.len();
            for Rule { reason, left, before } in &mut rules {
                let period = period(*reason, time, place);
                if *left > 0 && (*before != Some(period) || is_oldest) {
                    *left -= 1;
                    *before = Some(period);
                    reasons.push(*reason);
                }
            }
        }
        for (at, _) in order {
            let is_kept = |at: usize| reasons.get(at).is_some_and(|reasons| !reasons.is_empty());
            let mut next = Some(at).filter(|at| is_kept(*at));
            while let Some(parent) = next.and_then(|at| backups.get(at)?.parent) {
                match reasons.get_mut(parent) {
                    Some(reasons) if !reasons.contains(&Reason::Needed) => {
                        reasons.push(Reason::Needed);
                    }
                    // All before it are known to be needed, or there is nothing.
                    _ => break,
                }
                next = Some(parent);
            }
        }
        reasons.iter_mut().for_each(|reasons| reasons.sort_unstable());
        reasons
    }

    fn rules(&self) -> Vec<Rule> {
        let rules = [
            (Reason::Last, self.last),
            (Reason::Hourly, self.hourly),
            (Reason::Daily, self.daily),
            (Reason::Weekly, self.weekly),
            (Reason::Monthly, self.monthly),
            (Reason::Yearly, self.yearly),
        ];
        let rules = rules.into_iter().filter_map(|(reason, left)| Some((reason, left?)));
        rules.map(|(reason, left)| Rule { reason, left, before: None }).collect()
    }
}

/// A rule while it is applied.
struct Rule {
    reason: Reason,
    /// How many it may still keep.
    left: u64,
    /// The period of the last that it kept.
    before: Option<(i64, i64)>,
}

/// What a rule keeps one of.
fn period(reason: Reason, time: OffsetDateTime, place: usize) -> (i64, i64) {
    let (year, day) = (i64::from(time.year()), i64::from(time.ordinal()));
    match reason {
        Reason::Hourly => (year, day * 24 + i64::from(time.hour())),
        Reason::Daily => (year, day),
        Reason::Weekly => {
            let (year, week, _) = time.to_iso_week_date();
            (year.into(), week.into())
        }
        Reason::Monthly => (year, i64::from(u8::from(time.month()))),
        Reason::Yearly => (year, 0),
        Reason::Last | Reason::Within | Reason::Needed => {
            (0, i64::try_from(place).unwrap_or(i64::MAX))
        }
    }
}

/// Milliseconds since 1970 as a time; the end of the calendar beyond that.
fn time(ms: u64) -> OffsetDateTime {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds);
    time.unwrap_or_else(|_| Date::MAX.midnight().assume_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    /// 2026-01-01T00:00:00Z, a Thursday.
    const NEW_YEAR_MS: u64 = 1_767_225_600_000;

    fn whole(times: impl IntoIterator<Item = u64>) -> Vec<Backup> {
        times.into_iter().map(|time_ms| Backup { time_ms, parent: None }).collect()
    }

    fn kept(rules: Retention, backups: &[Backup]) -> Vec<String> {
        let reasons = rules.reasons(backups, u64::MAX);
        let kept = backups.iter().zip(reasons).filter(|(_, reasons)| !reasons.is_empty());
        kept.map(|(backup, _)| time(backup.time_ms).to_string()).collect()
    }

    #[test]
    fn a_year_of_hourly_backups_is_thinned_out() {
        let year = whole((0..8760).map(|hour| NEW_YEAR_MS + hour * HOUR_MS));
        let days = Retention { daily: Some(7), ..Retention::default() };
        let end = |date: &str| format!("{date} 23:00:00.0 +00:00:00");
        let of_days = (25..=31).map(|day| end(&format!("2026-12-{day}")));
        assert_eq!(kept(days, &year), Vec::from_iter(of_days));
        let rules = Retention {
            daily: Some(7),
            weekly: Some(4),
            monthly: Some(12),
            ..Retention::default()
        };
        let mut expected = vec![];
        for (month, day) in [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30].iter().enumerate() {
            expected.push(end(&format!("2026-{:02}-{day}", month + 1)));
        }
        // Four weeks: to the last day, and to the three Sundays before.
        for day in [13, 20] {
            expected.push(end(&format!("2026-12-{day}")));
        }
        expected.extend((25..=31).map(|day| end(&format!("2026-12-{day}"))));
        assert_eq!(kept(rules, &year), expected);
    }

    #[test]
    fn each_rule_keeps_what_restic_keeps() {
        let check = |rules: Retention, hours: &[u64], expected: &[u64]| {
            let all = whole(hours.iter().map(|hour| NEW_YEAR_MS + hour * HOUR_MS));
            let of_expected = whole(expected.iter().map(|hour| NEW_YEAR_MS + hour * HOUR_MS));
            let keep_all = Retention { last: Some(u64::MAX), ..Retention::default() };
            assert_eq!(kept(rules, &all), kept(keep_all, &of_expected), "{rules:?}");
        };
        let none = Retention::default();
        check(Retention { last: Some(2), ..none }, &[1, 2, 3, 4], &[3, 4]);
        check(Retention { last: Some(0), ..none }, &[1, 2], &[]);
        check(Retention { hourly: Some(2), ..none }, &[1, 5, 5, 9], &[5, 9]);
        // Days without a backup do not count.
        check(Retention { daily: Some(2), ..none }, &[1, 2, 24, 240, 241], &[24, 241]);
        // Not as many as asked for: the oldest stays as well.
        check(Retention { daily: Some(9), ..none }, &[1, 2, 24, 240, 241], &[1, 2, 24, 241]);
        check(Retention { yearly: Some(2), ..none }, &[1, 2, 3], &[1, 3]);
        let within = |text: &str| Retention { within: text.parse().ok(), ..none };
        check(within("3h"), &[1, 2, 3, 4, 5], &[3, 4, 5]);
        check(within("1d"), &[0, 1, 24], &[1, 24]);
        check(within("1m"), &[0, 1, 744], &[1, 744]);
        check(within("1y"), &[0, 8760], &[8760]);
    }

    #[test]
    fn times_by_the_calendar() {
        let parsed = |text: &str| text.parse::<Within>();
        let all = Within { years: 1, months: 5, days: 7, hours: 2 };
        assert_eq!(parsed("1y5m7d2h"), Ok(all));
        assert_eq!(parsed("14d"), Ok(Within { days: 14, ..Within::default() }));
        for wrong in ["", "14", "d", "1w", "-1d", "1d2", "99999999999d", "é"] {
            assert_eq!(parsed(wrong), Err(NotWithin), "{wrong}");
        }
        assert_eq!(parsed("999999y").map(|within| within.before(time(0))), Ok(None));
    }

    #[test]
    fn however_long_or_short_a_time_is_the_youngest_is_within() {
        for (text, kept) in [("999999y", &[1, 2, 3][..]), ("99999y", &[1, 2, 3]), ("0d", &[3])] {
            let backups = whole([1, 2, 3].map(|hour| NEW_YEAR_MS + hour * HOUR_MS));
            let rules = Retention { within: text.parse().ok(), ..Retention::default() };
            let reasons = rules.reasons(&backups, NEW_YEAR_MS + 4 * HOUR_MS);
            let is_kept = |hour: &u64| !reasons[usize::try_from(*hour).unwrap() - 1].is_empty();
            assert_eq!([1, 2, 3].into_iter().filter(is_kept).collect::<Vec<_>>(), kept, "{text}");
        }
    }

    #[test]
    fn a_backup_of_the_future_does_not_move_what_is_within() {
        let backups = whole([1, 2, 1000].map(|hour| NEW_YEAR_MS + hour * HOUR_MS));
        let rules = Retention { within: "1h".parse().ok(), ..Retention::default() };
        let reasons = rules.reasons(&backups, NEW_YEAR_MS + 3 * HOUR_MS);
        assert_eq!(reasons, [vec![], vec![Reason::Within], vec![Reason::Within]]);
    }

    /// Chains: each backup goes on from one before it, or is whole.
    fn chains() -> impl Strategy<Value = Vec<Backup>> {
        let steps = prop::collection::vec(
            (1_u64..200, prop::option::of(any::<prop::sample::Index>())),
            1..60,
        );
        steps.prop_map(|steps| {
            let (mut backups, mut time_ms): (Vec<Backup>, u64) = (Vec::new(), NEW_YEAR_MS);
            for (hours, parent) in steps {
                time_ms += hours * HOUR_MS;
                let parent = parent.filter(|_| !backups.is_empty());
                let parent = parent.map(|parent| parent.index(backups.len()));
                backups.push(Backup { time_ms, parent });
            }
            backups
        })
    }

    proptest! {
        #[test]
        fn no_increment_is_left_without_what_it_goes_on_from(
            backups in chains(),
            numbers in prop::collection::vec(prop::option::of(0_u64..5), 6),
        ) {
            let rules = Retention {
                last: numbers[0],
                hourly: numbers[1],
                daily: numbers[2],
                weekly: numbers[3],
                monthly: numbers[4],
                yearly: numbers[5],
                within: None,
            };
            let reasons = rules.reasons(&backups, u64::MAX);
            for (at, backup) in backups.iter().enumerate() {
                if let (false, Some(parent)) = (reasons[at].is_empty(), backup.parent) {
                    prop_assert!(!reasons[parent].is_empty());
                }
            }
            // The youngest goes only where nothing is kept at all.
            let keeps = numbers.iter().flatten().any(|number| *number > 0);
            prop_assert_eq!(reasons.last().is_some_and(Vec::is_empty), !keeps);
        }
    }
}
