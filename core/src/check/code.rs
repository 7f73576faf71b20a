//! The catalogue of findings: each code with its severity, why it matters and what to do.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// The dump cannot be restored as it is, or what is restored would lose or corrupt data.
    Error,
    /// The dump can be restored, but something is not as a server writes it.
    Warning,
    /// Worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

macro_rules! catalogue {
    ($($(#[doc = $doc:literal])* $code:ident $name:literal $severity:ident $why:literal $help:literal;)*) => {
        /// What a finding is about. The names are stable: scripts may rely on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])* #[cfg_attr(feature = "typescript", ts(rename = $name))] $code,)*
        }

        // What serde derives has a call for each code, and is much of the viewer.
        impl Serialize for Code {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// What the code means, in a sentence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => concat!($($doc),*).trim_ascii(),)* }
            }

            /// How bad it is.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$code => Severity::$severity,)* }
            }

            /// Why it matters.
            pub const fn why(self) -> &'static str {
                match self { $(Self::$code => $why,)* }
            }

            /// What to do about it.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$code => $help,)* }
            }
        }
    };
}

catalogue! {
    /// The dump has no record.
    EmptyDump "empty-dump" Error
        "There is nothing to restore; an import of it would leave an empty node."
        "Take a new dump, and check that the export succeeded (exit code 0).";
    /// The text is UTF-16 or UTF-32.
    Utf16 "utf-16" Error
        "A dump is UTF-8. PowerShell's `>` writes UTF-16."
        "Convert the file as the message says. Export with `--db FILE` in place of `>`.";
    /// The dump is packed once more, or in a way that is not unpacked here.
    PackedContent "packed-content" Error
        "A dump is read as plain text, gzip or zstd, encrypted with age once or not. What is inside this packing is not looked at."
        "Unpack the file as the message says, and use the dump in it.";
    /// The file is something else.
    ForeignFile "foreign-file" Error
        "No line of it is a record of a dump: there is nothing to restore."
        "Check the name of the file, and how it was fetched.";
    /// Other text stands before the dump.
    TextBeforeDump "text-before-dump" Error
        "The first line of a dump is its header. A banner or a log was written into the same file, for example by `2>&1`."
        "Cut it off as the message says. Export with `--db FILE` in place of `>`.";
    /// The records are elements of one JSON array, or indented.
    JsonArray "json-array" Error
        "A dump has one record in each line; a JSON tool has rewritten this file, and old ones change large numbers."
        "Use the original. If there is none, make lines of it as the message says, with jq 1.7 or later.";
    /// Lines end in carriage returns alone.
    CarriageReturnOnly "carriage-return-only" Error
        "Without line feeds the dump is one line. The file went through a text-mode transfer, which may have changed more than that."
        "Transfer the original again in binary mode, or convert this file as the message says.";
    /// The file has zero bytes.
    ZeroBytes "zero-bytes" Error
        "A disk that was full, or a computer that lost power, leaves zeros where data should be. At the end they may stand in place of the rest of the dump."
        "Fetch the dump again. If zeros at the end are all that is wrong, and a manifest or another copy proves that nothing else followed, cut them off: tr -d '\\0'.";
    /// The file starts with a byte order mark.
    ByteOrderMark "byte-order-mark" Error
        "A dump is plain UTF-8; with the mark the first line is not JSON and no tool reads it."
        "An editor has rewritten the file: go back to the original, or cut its first three bytes.";
    /// A line is not UTF-8.
    NotUtf8 "not-utf8" Error
        "Servers write UTF-8 only: the bytes were damaged, or the file is not a dump."
        "Compare the file with another copy; unpack it if it is an archive.";
    /// A line ends in a carriage return.
    CarriageReturn "carriage-return" Warning
        "Servers end lines with a line feed alone: the file went through a text-mode transfer, which may have changed more than that."
        "Transfer the original again in binary mode.";
    /// A line is blank.
    BlankLine "blank-line" Error
        "Servers write none, and the official import fails on it: the file was edited or joined."
        "Remove the line after making sure that nothing stood there.";
    /// The last line is cut off.
    LastLineCut "last-line-cut" Error
        "The dump ends in the middle of a line: the rest of it, and everything after it, is missing."
        "Take a new dump, or fetch the file again; do not restore this one.";
    /// The last line has no line end.
    NoFinalNewline "no-final-newline" Warning
        "An export ends every line; the line is complete, but the file may have been cut right after it."
        "Compare the size with the original or its manifest.";
    /// A line is longer than any that is read.
    LineTooLong "line-too-long" Error
        "No server writes lines of more than 512 MiB; the dump is read up to there, and nothing behind it."
        "Look at how the line starts: the file may be something else, or its line ends are lost. Fetch the dump again.";
    /// A line is not JSON.
    NotJson "not-json" Error
        "The line was damaged, or the file is not a dump."
        "Look at the place that is named; compare the file with another copy.";
    /// A line is JSON, but not a dump line.
    NotADumpLine "not-a-dump-line" Error
        "Every line of a dump is an array of a tree's name and an object with one kind."
        "Check that the file is an export of a meta service; remove what does not belong.";
    /// A line has a kind that no release wrote.
    UnknownKind "unknown-kind" Error
        "What the line holds cannot be restored; it may come from a release newer than this tool."
        "Use a newer release of this tool, or check where the line comes from.";
    /// A line's content does not have the shape of its kind.
    WrongShape "wrong-shape" Error
        "The record cannot be read, so it would be missing from what is restored."
        "Look at the place that is named; compare the file with another copy.";
    /// A log entry holds something that this release does not know.
    UnknownCommand "unknown-command" Error
        "Probably a newer server has written the entry. Its effect is not known, nor is the state after it."
        "Use a newer release of this tool. The dump is not damaged: do not remove the line.";
    /// A number does not fit.
    OutOfRange "number-out-of-range" Error
        "Value bytes are at most 255, counters fit in 64 bits: the line was damaged or edited."
        "Look at the place that is named; compare the file with another copy.";
    /// A line is in a tree that no release had.
    UnknownTree "unknown-tree" Error
        "It is not clear where the record belongs, and the official import would guess."
        "Check where the line comes from; correct the tree's name.";
    /// A line is in a tree that does not hold its kind.
    KindInWrongTree "kind-in-wrong-tree" Error
        "It is not clear where the record belongs, and the official import would guess."
        "Check where the line comes from; correct the tree's name.";
    /// A record has a member that this release does not know.
    UnknownMember "unknown-member" Note
        "It comes from a newer server. It is kept when the line passes through, and lost when the dump is imported."
        "Use a newer release of this tool for the import if the member matters.";
    /// A dump of a version that has a header starts without one.
    HeaderMissing "header-missing" Error
        "Without it every tool takes the dump for a V0 dump; its first line, and perhaps more, is missing."
        "Fetch the file again; if only the header is missing, put it back as the first line.";
    /// The dump has no header and is taken for V0.
    HeaderAbsent "header-absent" Note
        "Releases before 1.1.13 wrote none, so this is how a V0 dump looks."
        "Nothing, if the dump is that old.";
    /// The header is not the first line.
    HeaderNotFirst "header-not-first" Error
        "Tools look for it in the first line only and take such a dump for a V0 dump."
        "Check how the file was put together; move the header to the top if the rest is complete.";
    /// There is more than one header.
    HeaderRepeated "header-repeated" Error
        "Two dumps were joined, or lines were copied: what follows may belong to another cluster."
        "Split the file at the second header and check both parts.";
    /// The header line does not have the key `header`.
    HeaderKey "header-key" Error
        "The official import stops with a panic at such a header."
        "Correct the key to \"header\".";
    /// The header names a version that this release does not know.
    VersionUnknown "version-unknown" Error
        "The dump was written by a newer server, whose records this release may misread."
        "Use a newer release of this tool.";
    /// The header mentions an interrupted upgrade.
    UpgradeInterrupted "upgrade-interrupted" Warning
        "The dump was taken from a directory in the middle of an upgrade; its state may be incomplete."
        "Let the server finish the upgrade and take a new dump.";
    /// A record is of a kind that the dump's version does not have.
    KindOfOtherVersion "kind-of-other-version" Error
        "V004 renamed the log's kinds; a dump that mixes them was edited or joined."
        "Check how the file was put together.";
    /// A record is of a kind that no server of today reads.
    RetiredKind "retired-kind" Warning
        "An official import stops at such a line. Nothing is lost without ClientLastResps and MetaSrvAddrs; the other kinds hold the databases and tables of before 2022-05-07."
        "Nothing for ClientLastResps and MetaSrvAddrs; databases and tables of that age need a release of that age.";
    /// The dump has no line of the Raft log and state.
    NoRaftLog "no-raft-log" Warning
        "Dumps that were filtered by tenant look like this: they have no node id, and a node restored from one as it stands does not start."
        "Restore it with --id and --initial-cluster, which add what is missing.";
    /// The dump lacks the node id, vote, committed or purged line.
    RaftStateMissing "raft-state-missing" Error
        "Every export has these lines; without them the dump was cut or edited."
        "Take a new dump, or fetch the file again.";
    /// The node id, vote, committed or purged line occurs twice.
    RaftStateRepeated "raft-state-repeated" Error
        "It is not clear which one counts: two dumps were joined, or lines were copied."
        "Keep the line that belongs to this dump.";
    /// The node id is null.
    NodeIdNull "node-id-null" Warning
        "The node that is restored does not know which member of the cluster it is."
        "Restore it with --id and --initial-cluster.";
    /// The log has entries, but the vote is missing.
    VoteMissing "vote-missing" Warning
        "A node with a log has voted; without its vote it could vote twice in one term."
        "Restore all nodes of the cluster from the same dump.";
    /// The vote is behind the log or the state.
    VoteBehindLog "vote-behind-log" Error
        "The dump holds entries, or their effect, of a later leader than the one this node has voted for: such a node may lose what was committed."
        "Take a dump from another node, or restore with --id and --initial-cluster, which raise the vote.";
    /// The log, the state and the Raft state are of different histories.
    LogIdsDisagree "log-ids-disagree" Error
        "An index of a log belongs to one leader, and later indexes to the same one or later ones. Here parts of different clusters, or of one cluster before and after it was restored, were put together: a server applies entries that do not follow its state, or skips new ones."
        "Take a new dump from one node. Do not make the parts fit by removing lines: the log of the later term may hold the newest writes.";
    /// The committed position is beyond the last log entry.
    CommittedBeyondLog "committed-beyond-log" Error
        "Entries that were committed are not in the dump: it was cut, or lines were removed."
        "Take a new dump, or fetch the file again.";
    /// The log is purged beyond what the state machine holds.
    PurgedBeyondApplied "purged-beyond-applied" Error
        "The entries in between are neither in the log nor in the state: their writes are lost."
        "Take a new dump; export the log and the snapshot in one go.";
    /// The state machine lacks writes of entries that it claims.
    SnapshotLacksEntries "snapshot-lacks-entries" Error
        "Servers 1.2.801 to 1.2.812 wrote such snapshots (fixed in 1.2.813); a dump that lost lines looks the same. A node that starts with one never applies these entries, and what depends on them fails: everything written since can be lost."
        "Fetch the dump again if it may have been cut. Otherwise rewrite it with --repair snapshot: the restored node then applies the entries from the log.";
    /// Log entries are missing between two lines.
    LogGap "log-gap" Error
        "The writes in the gap are lost, and servers refuse a log with a gap."
        "Take a new dump, or fetch the file again.";
    /// Log entries are not in ascending order.
    LogOrder "log-order" Error
        "Importers append the log in the order of the lines and fail at the first that goes back."
        "Check how the file was put together; sort the log lines by index if they are complete.";
    /// Two log entries have the same index.
    LogDuplicate "log-duplicate" Error
        "It is not clear which of the two counts: two dumps were joined, or lines were copied."
        "Take a new dump, or remove the line that does not belong.";
    /// A log entry's leader is older than its predecessor's.
    LogTermBack "log-term-back" Error
        "Terms only grow in a Raft log: the lines come from different histories."
        "Take a new dump from one node.";
    /// A log line's key is not its entry's index.
    LogKeyMismatch "log-key-mismatch" Error
        "The line was edited: it is not clear which of the two is right."
        "Compare the line with another copy of the dump.";
    /// A log entry is at or below the purged position.
    LogBelowPurged "log-below-purged" Error
        "The log says that the entry is gone and also holds it; servers refuse to append it."
        "Take a new dump, or remove the line: its effect is in the state machine.";
    /// A log entry at or below the purged position is skipped.
    LogBelowPurgedSkipped "log-below-purged-skipped" Note
        "Servers up to V003 could keep such entries; their effect is in the state machine."
        "Nothing: an import leaves them out.";
    /// The log does not start at 0, and no purged position says why.
    LogStart "log-start" Error
        "The entries before the first one are missing: the dump was cut or edited."
        "Take a new dump, or fetch the file again.";
    /// The state machine is ahead of the whole log.
    AppliedBeyondLog "applied-beyond-log" Warning
        "The entries between the log's end and the last applied one are missing. The state holds their effect, but an official import with --initial-cluster fails on the gap."
        "Compare it with a dump of another node: what stood behind the last applied entry may be missing, too. An import with this tool leaves the log out, whose effect the state holds.";
    /// The dump has a state but neither a log nor a purged position that reaches it.
    AppliedWithoutLog "applied-without-log" Warning
        "A node restored from the dump as it stands looks for log entries that are not there and does not start."
        "Restore it with --id and --initial-cluster, which set the purged position.";
    /// A log entry holds a command that no server of today knows.
    RetiredCommand "retired-command" Error
        "A server that loads this log stops at the entry."
        "Restore with a dump that was taken after a snapshot, when the log no longer holds the entry.";
    /// Lines are not in the order in which servers write them.
    SectionOrder "section-order" Error
        "Importers rely on the order; lines out of order mean that the file was edited, sorted or joined."
        "Take a new dump, or put the lines back in order.";
    /// The dump has more than one state machine.
    SeveralStateMachines "several-state-machines" Error
        "Since V002 there is one state machine tree only: two dumps were joined."
        "Take a new dump.";
    /// Keys are not in ascending order.
    KeysUnsorted "keys-unsorted" Error
        "Servers write them sorted by bytes, and importers build a sorted table from them."
        "Take a new dump; if it was sorted by another rule, sort these lines by the bytes of their keys.";
    /// A key occurs twice.
    KeyDuplicate "key-duplicate" Error
        "It is not clear which value counts: two dumps were joined, or lines were copied."
        "Take a new dump, or remove the line that does not belong.";
    /// Two keys have the same sequence number.
    SeqDuplicate "seq-duplicate" Error
        "Every write has a number of its own; object ids are such numbers, so two objects could be taken for one."
        "Take a new dump from one node.";
    /// A key has the sequence number 0.
    SeqZero "seq-zero" Error
        "0 means that a key does not exist: servers would not see this one."
        "Take a new dump; compare the line with another copy.";
    /// The `Sequences` line is missing.
    SequencesMissing "sequences-missing" Error
        "The next write would get a number, and the next object an id, that are already in use."
        "Take a new dump, or fetch the file again.";
    /// The `Sequences` line occurs twice.
    SequencesRepeated "sequences-repeated" Error
        "It is not clear which one counts: two dumps were joined, or lines were copied."
        "Keep the line with the larger value only if both parts belong to one cluster.";
    /// `Sequences` has a key that no server of today knows.
    SequencesKey "sequences-key" Warning
        "Only generic-kv counts since 2022-05; the official import takes the value of the last line, whatever its key."
        "Nothing for a dump of that age; else remove the line.";
    /// `Sequences` is below the largest sequence number in use.
    SequencesBehind "sequences-behind" Error
        "The next write would get a number, and the next object an id, that are already in use."
        "Take a new dump; lines of another dump may have been mixed in.";
    /// Hardly any sequence number is left.
    SequencesExhausted "sequences-exhausted" Error
        "Every write takes a number. When none is left, the restored node cannot write any more. No cluster comes this far: the line was damaged or edited."
        "Compare the line with another copy of the dump, or take a new dump.";
    /// The expiry index has an entry without its key.
    ExpireWithoutKey "expire-without-key" Error
        "Either the key's line is missing (the dump was cut), or the entry is stale: then the server deletes the live key of that name at its next timed write."
        "Compare with the manifest or another copy; if the dump is complete, rewrite it with --repair expire.";
    /// A key expires but is not in the expiry index.
    KeyWithoutExpire "key-without-expire" Error
        "Once the key has expired, clients no longer see it, but the server never removes it."
        "Rewrite the dump with --repair expire.";
    /// An entry of the expiry index and its key disagree.
    ExpireMismatch "expire-mismatch" Error
        "The server deletes the live key at the wrong time, or, before 1.2.784, stops."
        "Rewrite the dump with --repair expire.";
    /// The expiry index is not in ascending order.
    ExpireUnsorted "expire-unsorted" Error
        "Servers write it sorted by time and sequence number, and importers build a sorted table from it."
        "Take a new dump, or rewrite it with --repair expire.";
    /// The expiry index has an entry twice.
    ExpireDuplicate "expire-duplicate" Error
        "It is not clear which one counts: two dumps were joined, or lines were copied."
        "Take a new dump, or rewrite it with --repair expire.";
    /// Keys expire, and the dump has no expiry index at all.
    ExpireIndexAbsent "expire-index-absent" Warning
        "Releases before 0.8.97 had none; servers of today never remove such keys without it."
        "Nothing: an import of a V0 dump makes the index. For a later one, rewrite it with --repair expire.";
    /// The state machine has no `LastApplied` line.
    LastAppliedMissing "last-applied-missing" Error
        "The server would apply the whole log again on top of a state that already holds it."
        "Take a new dump, or fetch the file again.";
    /// The state machine has no `LastMembership` line.
    MembershipMissing "membership-missing" Error
        "The node does not know its cluster; the line is always written beside LastApplied."
        "Take a new dump, or restore with --id and --initial-cluster.";
    /// A `StateMachineMeta` line occurs twice.
    StateMachineMetaRepeated "state-machine-meta-repeated" Error
        "It is not clear which one counts: two dumps were joined, or lines were copied."
        "Keep the line that belongs to this dump.";
    /// The state machine is not in the dump, and the log does not hold everything.
    StateMachineMissing "state-machine-missing" Error
        "What the purged entries wrote is lost: the dump was cut, or only a part of it was kept."
        "Take a new dump, or fetch the file again.";
    /// The dump has no state machine; the log holds everything.
    NoSnapshot "no-snapshot" Note
        "A young cluster has not built a snapshot yet; its state is in the log."
        "Nothing: a restored node replays the log.";
    /// Writes were counted, but the dump has no key.
    KeysMissing "keys-missing" Warning
        "Either every key was deleted, or the dump was cut before the keys."
        "Compare with the manifest or the number of keys that `status` shows.";
    /// The membership is of an entry beyond the last applied one.
    MembershipBeyondApplied "membership-beyond-applied" Error
        "The state machine keeps both in one step, so its lines are of two moments: the dump was joined or edited."
        "Take a new dump from one node.";
    /// A change of membership was not complete.
    MembershipInFlight "membership-in-flight" Note
        "The cluster was being changed when the dump was taken. Restored nodes of the same cluster go on with the change, and need a majority of the old and of the new voters for it."
        "Restore the nodes of both sets, or restore with --id and --initial-cluster, which set the members.";
    /// The membership, or one of its configs, has no voter.
    MembershipEmpty "membership-empty" Error
        "Nobody can be elected: the restored cluster does not start."
        "Restore with --id and --initial-cluster.";
    /// A voter has no node record.
    VoterWithoutNode "voter-without-node" Error
        "The other nodes do not know its address, so it can neither vote nor be reached."
        "Restore with --id and --initial-cluster, naming every node.";
    /// A learner has no node record.
    LearnerWithoutNode "learner-without-node" Warning
        "The other nodes do not know its address, so it gets no data."
        "Add the node again after the restore.";
    /// A node record belongs to no member.
    NodeNotMember "node-not-member" Note
        "The node left the cluster, or was about to join it. Servers give its address to clients all the same."
        "See that the address leads to no other cluster; a restore with --id and --initial-cluster leaves only the given nodes.";
    /// A node has no address.
    NodeWithoutEndpoint "node-without-endpoint" Error
        "The node cannot be reached by the others."
        "Restore with --id and --initial-cluster.";
    /// A node's address has characters that no address has.
    NodeAddressMalformed "node-address-malformed" Error
        "Blanks and control characters are in no address: neither nodes nor clients can reach the node."
        "Restore with --id and --initial-cluster.";
    /// Two nodes have the same address.
    NodeAddressShared "node-address-shared" Error
        "One process would get the messages of two voters: both are counted as one vote lost."
        "Restore with --id and --initial-cluster, with one address each.";
    /// A node record occurs twice.
    NodeRepeated "node-repeated" Error
        "It is not clear which address counts: two dumps were joined, or lines were copied."
        "Keep the line that belongs to this dump.";
    /// A node's name is not its id.
    NodeNameMismatch "node-name-mismatch" Warning
        "Servers name a node by its id; the record may belong to another node."
        "Check the node's address; a restore with --initial-cluster writes new records.";
    /// This node's id is not a member of the cluster.
    OwnIdNotMember "own-id-not-member" Error
        "A node restored from this dump is not part of its own cluster and does not start."
        "Restore with --id and --initial-cluster.";
    /// An object id is larger than the counter that it came from.
    IdCounterBehind "id-counter-behind" Error
        "The next object would get an id that exists, and table data lives under ids: two tables would share their files."
        "Take a new dump; lines of another dump may have been mixed in.";
    /// A value is not what its key says.
    ValueMisfit "value-misfit" Warning
        "Engines fail on the object that it describes. The meta service itself keeps any bytes, and so does a restore. Values of copied files are not looked at."
        "Compare the line with another copy of the dump. If the cluster has the same bytes, make the object again.";
    /// A value was written for servers that are newer than this release.
    ValueOfNewerServer "value-newer" Note
        "Engines that are older than the one that wrote it refuse to read it; this release does not know all that it may hold."
        "Restore into a cluster of at least the release that wrote it.";
    /// A name leads to an object that has no record.
    ObjectWithoutRecord "object-without-record" Warning
        "Engines write and remove both in one transaction: the record was lost, or the lines are of two dumps. The object cannot be used, and its name is taken."
        "Restore a dump that has the record: of another node, or an older one. If there is none, remove the name.";
    /// An object has a record and is not dropped, but no name leads to it.
    ObjectWithoutName "object-without-name" Note
        "Nobody can use it by its name: the name was lost, or the lines are of two dumps."
        "If somebody misses it, restore an older dump, which has the name.";
    /// Records belong to objects that are not there.
    OrphanedRecord "orphaned-record" Note
        "Engines leave some when they purge dropped objects, such as least visible times of tables and owners of databases: they take space and do no harm. In an edited dump they show that objects are missing."
        "Nothing, if the dump was not edited and nobody misses the objects.";
    /// Users, roles or objects have a role that is not there.
    RoleMissing "role-missing" Note
        "Engines leave a dropped role with those who had it, where it gives no privileges. A new role of that name gives them its own."
        "Revoke the role, or create it again if it was lost.";
    /// A user has a network or password policy that is not there.
    PolicyMissing "policy-missing" Warning
        "Engines refuse to drop a policy that a user has: its record was lost. Without the network policy the user cannot sign in; without the password policy no rule for passwords holds. In both cases the user cannot be altered otherwise."
        "Create the policy again, or unset it for the user.";
    /// There are too many references to check all of them.
    ReferencesUnchecked "references-unchecked" Note
        "Memory is bounded: of one value the first 1,000 names are checked, and as many objects may be needed before their records as fit in 32 MiB."
        "Look at the line: no engine writes so many. What else is reported of objects holds.";
    /// A manifest that proves the dump complete is required, and there is none.
    ManifestMissing "manifest-missing" Error
        "A dump has no trailer: without a manifest a cut between two lines cannot be seen."
        "Export with this tool, which writes the manifest beside the dump, and keep the two together.";
    /// There is no manifest, so completeness cannot be proven.
    CompletenessUnproven "completeness-unproven" Note
        "A dump has no trailer: without a manifest a cut between two lines cannot be seen."
        "Export with this tool, which writes the manifest beside the dump, and keep the two together.";
    /// The manifest beside the dump cannot be read.
    ManifestUnreadable "manifest-unreadable" Error
        "Whether the dump is complete cannot be determined."
        "Fetch the manifest again, or remove it if it belongs to another file.";
    /// The manifest beside the dump is of a file of another name.
    ManifestOfOtherName "manifest-of-other-name" Note
        "Either the dump and its manifest were renamed, or the manifest belongs to another dump."
        "Nothing, if nothing else is reported of the manifest: then it proves the dump complete.";
    /// The dump is not the one that its manifest describes.
    ManifestMismatch "manifest-mismatch" Error
        "The dump was cut, changed or exchanged after it was exported."
        "Fetch the dump again; do not restore this one.";
    /// The dump is what was left of damaged data.
    Salvaged "salvaged" Warning
        "What is named was lost before the dump was exported: a node that is restored from it lacks it."
        "Restore a dump of another node; this one only if there is none.";
    /// An older data version has no place for the time at which a key was proposed.
    LostProposalTime "lost-proposal-time" Error
        "Releases before 1.2.823 do not know `proposed_at_ms`; no server decides anything by it."
        "Keep the newer version, or accept the loss.";
    /// An older data version has no place for the milliseconds of an expiry.
    LostExpiryMilliseconds "lost-expiry-milliseconds" Error
        "Releases before 1.2.770 count expiry in seconds: the key expires up to a second later."
        "Keep the newer version, or accept the loss.";
    /// An older data version cannot hold an expiry beyond the year 5138.
    LostLateExpiry "lost-late-expiry" Error
        "Seconds beyond 10^11 are read as milliseconds: the key expires in 5138."
        "Keep the newer version, or accept the loss.";
    /// An older data version has no place for a node's TLS address.
    LostTlsAddress "lost-tls-address" Error
        "Releases of that time speak to other nodes in plain text only."
        "Keep the newer version, or accept the loss and check how the nodes reach each other.";
    /// An older data version does not know the command of a log entry.
    LostLogEntry "lost-log-entry" Error
        "What the entry did is in the state already, so that the log can begin after it. It and all entries before it are gone as history, and are counted."
        "Keep the newer version, or accept the loss.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no finding has the code {0:?}")]
pub struct UnknownCode(pub String);

impl FromStr for Code {
    type Err = UnknownCode;
    fn from_str(name: &str) -> Result<Self, UnknownCode> {
        let found = Self::ALL.iter().find(|code| code.name() == name);
        found.copied().ok_or_else(|| UnknownCode(name.to_owned()))
    }
}
