//! What is stored under a key, as far as it may be shown: what of it is masked is decided here.

use std::borrow::Cow;

use super::items::Misfit;
use super::key::KeyParts;
use super::mask::{RawMask, Secrets, mask_raw};
use super::meaning::Meaning;
use super::message::Value;

/// A value by its key.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    /// What it is.
    pub content: Read<'a>,
    /// Why it is not what it is to be by its key, or cannot be unpacked.
    pub misfit: Option<Misfit>,
    /// How many credentials are masked.
    pub masked: u64,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Read<'a> {
    /// What its key says.
    Meaning(Meaning<'a>),
    /// Bytes whose form is not known, or not theirs.
    Raw(&'a [u8]),
    /// Such bytes, which are JSON, of which members are masked.
    Json(Value<'static>),
    /// Such bytes, which may be a credential: which of them is not known.
    Hidden,
}

impl<'a> Reading<'a> {
    /// What the bytes of a value are, and `plain`, what they unpack to; the key is none when it is of
    /// no known form.
    pub(crate) fn of(
        key: Option<&KeyParts<'_>>,
        bytes: &'a [u8],
        plain: &'a Result<Cow<'a, [u8]>, Misfit>,
        secrets: Secrets,
    ) -> Self {
        let meaning = match plain {
            Ok(plain) => key.and_then(|key| Some((key, key.meaning(plain)?))),
            Err(_) => None,
        };
        let misfit = match (meaning, plain) {
            (Some((key, Ok(mut meaning))), _) => {
                let masked = match secrets {
                    Secrets::Masked => meaning.mask(key.form),
                    Secrets::Shown => 0,
                };
                return Self { content: Read::Meaning(meaning), misfit: None, masked };
            }
            (Some((_, Err(misfit))), _) => Some(misfit),
            (None, Err(misfit)) => Some(misfit.clone()),
            (None, Ok(_)) => None,
        };
        let may_hold = misfit.is_some() && key.is_some_and(|key| key.form.may_hold_credentials());
        let raw = plain.as_ref().map_or(bytes, |plain| plain);
        let (content, masked) = match secrets {
            Secrets::Shown => (Read::Raw(raw), 0),
            Secrets::Masked if may_hold => (Read::Hidden, 1),
            Secrets::Masked => match mask_raw(raw) {
                RawMask::Nothing => (Read::Raw(raw), 0),
                RawMask::Json(value, masked) => (Read::Json(value), masked),
                RawMask::Whole => (Read::Hidden, 1),
            },
        };
        Self { content, misfit, masked }
    }
}
