//! Log ids as servers of all ages print them.

use metadump::record::LogId;

/// Reads a log id out of the text of a status; none when there is no log id in it.
///
/// Servers print `T1-N2.34` today, printed `T1-N2-34` and `1-2-34` before, and the oldest print
/// their structure, `LogId { leader_id: LeaderId { term: 1, node_id: 2 }, index: 34 }`, or `1-34`
/// when they know no node id, which becomes 0. All have in common that the numbers stand in this
/// order, so that only the numbers are read.
///
/// ```text
/// T1-N2.34  ─►  term 1, node 2, index 34
/// ```
pub fn parse_log_id(text: &str) -> Option<LogId> {
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let numbers: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
    match *numbers.as_slice() {
        [term, index] => Some(LogId::new(term, 0, index)),
        [term, node_id, index] => Some(LogId::new(term, node_id, index)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, id: (u64, u64, u64)) {
        assert_eq!(parse_log_id(text), Some(LogId::new(id.0, id.1, id.2)), "{text}");
    }

    #[test]
    fn forms_of_all_ages() {
        check("T1-N2.34", (1, 2, 34));
        check("T1-N2-34", (1, 2, 34));
        check("1-2-34", (1, 2, 34));
        check("1-34", (1, 0, 34));
        check("LogId { leader_id: LeaderId { term: 1, node_id: 2 }, index: 34 }", (1, 2, 34));
        check("LogId { term: 1, index: 34 }", (1, 0, 34));
        check("Some(T0-N0.0)", (0, 0, 0));
        let most = u64::MAX;
        check(&format!("T{most}-N{most}.{most}"), (most, most, most));
    }

    #[test]
    fn what_is_no_log_id_is_none() {
        for text in ["", "None", "-", "34", "1-2-3-4", "T18446744073709551616-N1.1"] {
            assert_eq!(parse_log_id(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_the_core_prints_is_read_back(term: u64, node_id: u64, index: u64) {
            let id = LogId::new(term, node_id, index);
            prop_assert_eq!(parse_log_id(&id.to_string()), Some(id));
        }
    }
}
