//! Names that are near one that there is not.

/// How many are given.
const MOST: usize = 5;

/// How near they are at least, of 1.
const LEAST: f64 = 0.75;

/// The names nearest to one, up to five, the nearest first; the first ones when none is near.
pub fn near<'n>(asked: &str, names: impl Iterator<Item = &'n str> + Clone) -> Vec<String> {
    let asked = asked.to_lowercase();
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let contains = !asked.is_empty() && (name.contains(&asked) || asked.contains(&name));
        if contains { 1.0 } else { strsim::jaro_winkler(&asked, &name) }
    };
    let mut nearest: Vec<(f64, &str)> = Vec::new();
    for name in names.clone().filter(|name| !name.is_empty()) {
        let of = likeness(name);
        if of >= LEAST && !nearest.iter().any(|(_, known)| *known == name) {
            let at = nearest.partition_point(|(known, _)| *known >= of);
            nearest.insert(at, (of, name));
            nearest.truncate(MOST);
        }
    }
    if nearest.is_empty() {
        return names.take(MOST).map(str::to_owned).collect();
    }
    nearest.into_iter().map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first() {
        let names = ["acme", "acme2", "other", "amce"];
        assert_eq!(near("acmee", names.into_iter()), ["acme", "acme2", "amce"]);
        assert_eq!(near("zzz", names.into_iter()).len(), 4);
        assert!(near("", [].into_iter()).is_empty());
    }
}
