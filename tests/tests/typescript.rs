//! The viewer's types of what the binding gives: written from the Rust types, never by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use metadump::Report;
use metadump::browse::{ObjectDetail, ObjectHistory, ObjectQuery, StateOverview};
use metadump::compare::{DifferenceQuery, DifferenceRow, KeyView, States};
use metadump::decode::LineView;
use metadump::index::Indexer;
use metadump::making::{FilterPreview, FilterQuery, RedactPreview};
use metadump::rewrite::Splice;
use metadump::search::{Hits, Query};
use ts_rs::{Config, TS, TypeVisitor};

const HEAD: &str = "\
// Generated: UPDATE_DOCS=1 cargo test -p metadump-tests --test typescript

/** A number that the dump decides, up to 2^64 - 1. It is a bigint where a number would round it. */
export type Integer = number | bigint;
";

#[test]
fn the_types_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/src/engine/generated.ts");
    let types = types();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &types).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == types,
        "web/src/engine/generated.ts is not what the Rust types say; \
         rewrite it with UPDATE_DOCS=1 cargo test -p metadump-tests --test typescript"
    );
}

/// Everything that crosses the border, and what it is made of, by name.
fn types() -> String {
    // Lines and bytes are counted: a file has less than 2^53 of either. Fields that hold a number
    // of the dump's say that they are an `Integer`.
    let config = Config::new().with_large_int("number");
    let mut declared = Declared { config, types: BTreeMap::new() };
    declared.visit::<Report>();
    declared.visit::<Indexer>();
    declared.visit::<LineView>();
    declared.visit::<Query>();
    declared.visit::<Hits>();
    declared.visit::<States>();
    declared.visit::<DifferenceQuery>();
    declared.visit::<DifferenceRow>();
    declared.visit::<KeyView>();
    declared.visit::<Splice>();
    declared.visit::<FilterQuery>();
    declared.visit::<FilterPreview>();
    declared.visit::<RedactPreview<'static>>();
    declared.visit::<StateOverview>();
    declared.visit::<ObjectQuery>();
    declared.visit::<ObjectDetail<'static>>();
    declared.visit::<ObjectHistory<'static>>();
    let text = declared.types.into_values().fold(HEAD.to_owned(), |text, one| text + "\n" + &one);
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

struct Declared {
    config: Config,
    types: BTreeMap<String, String>,
}

impl TypeVisitor for Declared {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // What has no file of its own is of TypeScript's: arrays, texts, numbers.
        if T::output_path().is_some() {
            let docs = T::docs().unwrap_or_default();
            let text = format!("{docs}export {}\n", T::decl(&self.config));
            match self.types.insert(T::ident(&self.config), text.clone()) {
                Some(same) => return assert_eq!(same, text, "two types have one name"),
                None => T::visit_dependencies(self),
            }
        }
        T::visit_generics(self);
    }
}
