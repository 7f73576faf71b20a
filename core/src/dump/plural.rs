//! Counts of things, in words.

/// `1 entry`, `2 entries`: a number with the noun that it takes.
pub(crate) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A number with a comma between each three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The noun for more than one: `masking policies`.
pub fn several(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if noun.ends_with('x') => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        let said = [0, 1, 2, 1234].map(|count| plural(count, "entry", "entries"));
        assert_eq!(said, ["0 entries", "1 entry", "2 entries", "1,234 entries"]);
    }

    #[test]
    fn nouns_end_as_they_sound() {
        let said = ["key", "masking policy", "index", "table"].map(several);
        assert_eq!(said, ["keys", "masking policies", "indexes", "tables"]);
    }
}
