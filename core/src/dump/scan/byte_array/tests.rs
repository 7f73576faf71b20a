//! The two ways are held against each other, and the definition against JSON.

use fearless_simd::Level;
use proptest::prelude::*;

use super::blocks::by_blocks;
use super::by_bytes;

/// Every set of instructions that this processor has.
fn levels() -> Vec<Level> {
    let best = Level::new();
    #[cfg(target_arch = "x86_64")]
    let others = [
        best.as_sse2().map(Level::Sse2),
        best.as_sse4_2().map(Level::Sse4_2),
        best.as_avx2().map(Level::Avx2),
        best.as_avx512().map(Level::Avx512),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let others = [Some(best)];
    others.into_iter().flatten().collect()
}

#[track_caller]
fn check(text: &[u8]) {
    let shown = || String::from_utf8_lossy(text).into_owned();
    for level in levels() {
        assert_eq!(by_blocks(level, text), by_bytes(text), "{level:?}: {}", shown());
    }
    // What is accepted is what serde takes for bytes, spelled without blanks.
    if let Some(len) = by_bytes(text) {
        let bytes: Vec<u8> = serde_json::from_slice(&text[..len]).unwrap();
        assert_eq!(serde_json::to_vec(&bytes).unwrap(), text[..len], "{}", shown());
    }
}

/// Every number, and every wrong one, at every place of a block, with every ending.
#[test]
fn every_number_at_every_place() {
    let wrong =
        ["", "00", "01", "007", "-1", "1.0", "1e2", " 1", "1 ", "a", "256", "2550", "\u{e9}"];
    let numbers = (0..1200_u32).map(|number| number.to_string());
    for number in numbers.chain(wrong.map(str::to_owned)) {
        for padding in 0..70 {
            for (filler, end) in [("1,", "]"), ("255,", ",7]"), ("10,", ",100,2,30]x")] {
                let mut text = "[".to_owned();
                while text.len() < padding {
                    text += filler;
                }
                text += &number;
                text += end;
                check(text.as_bytes());
                // So that the block goes on behind it.
                text += &"3,".repeat(40);
                check(text.as_bytes());
            }
        }
    }
}

#[test]
fn arrays_of_every_length() {
    for len in 0..400 {
        for value in [0_u8, 9, 10, 99, 100, 199, 200, 249, 250, 255] {
            let text = serde_json::to_vec(&vec![value; len]).unwrap();
            for level in levels() {
                assert_eq!(by_blocks(level, &text), Some(text.len()));
                for cut in text.len().saturating_sub(5)..text.len() {
                    assert_eq!(by_blocks(level, &text[..cut]), None);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn any_text_of_digits_and_commas(text in "\\[[0-25-79,\\] ]{0,200}") {
        check(text.as_bytes());
    }

    #[test]
    fn arrays_with_one_byte_changed(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        by in prop_oneof![Just(b','), Just(b']'), b'0'..=b'9', any::<u8>()],
        behind in "[,0-9\\]]{0,70}",
    ) {
        let mut text = serde_json::to_vec(&bytes).unwrap();
        text.extend(behind.as_bytes());
        check(&text);
        let at = at.index(text.len());
        text[at] = by;
        check(&text);
    }
}
