//! Which of several servers a dump is taken from.
//!
//! Each server exports its own data, and a follower may be behind: the servers are asked for
//! their state first, and it is said by how much one is behind.

use clap::ValueEnum;
use futures_util::future::join_all;
use metadump_proto::meta::ClusterStatus;
use tonic::Code;

use super::{Address, ConnectOptions, Failure, Note, Session, parse_log_id, status};

/// Which of the given servers is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum NodeChoice {
    /// The leader.
    Leader,
    /// The first that answers.
    #[default]
    Any,
    /// The one that has applied the most log entries.
    Freshest,
}

/// What a server says about itself.
struct Standing {
    address: Address,
    /// None when the server does not tell, such as one before 1.2.165.
    status: Option<ClusterStatus>,
}

impl Standing {
    /// The last log entry that the server has applied.
    fn applied_index(&self) -> Option<u64> {
        parse_log_id(&self.status.as_ref()?.last_applied).map(|id| id.index)
    }

    fn leads(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.is_leader)
    }

    fn term(&self) -> u64 {
        self.status.as_ref().map_or(0, |status| status.current_term)
    }

    fn known_leader(&self) -> Option<String> {
        self.status.as_ref()?.leader.clone()
    }
}

/// Opens a session with the server that `choice` names; one try.
pub(super) async fn choose(
    options: &ConnectOptions,
    choice: NodeChoice,
    note: &mut dyn FnMut(&Note),
) -> Result<Session, Failure> {
    if choice == NodeChoice::Any {
        let session = Session::open_first(options, note).await?;
        let standing = standing(&session).await?;
        say_standing(&[standing], 0, note);
        return Ok(session);
    }
    let asked = options.addresses.iter().map(async |address| {
        let session = Session::open_at(address, options).await?;
        let standing = standing(&session).await?;
        Ok((session, standing))
    });
    let (mut sessions, mut standings, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for answer in join_all(asked).await {
        match answer {
            Ok((session, standing)) => {
                sessions.push(session);
                standings.push(standing);
            }
            Err(failure) => failures.push(failure),
        }
    }
    if sessions.is_empty() {
        return Err(Failure::none_answered(failures));
    }
    for failure in &failures {
        note(&Note::not_answering(failure));
    }
    let chosen = pick(&standings, choice).ok_or_else(|| Failure::NoLeader {
        leader: standings.iter().find_map(Standing::known_leader),
    })?;
    say_standing(&standings, chosen, note);
    Ok(sessions.swap_remove(chosen))
}

/// Asks a server for its state; that it is there and does not tell is no failure.
async fn standing(session: &Session) -> Result<Standing, Failure> {
    let status = match status(session).await {
        Ok(status) => Some(status),
        Err(Failure::Call { code, .. }) if code != Code::Unavailable => None,
        Err(failure) => return Err(failure),
    };
    Ok(Standing { address: session.address().clone(), status })
}

/// The position of the chosen server; none when the leader is wanted and not among them. Among
/// equals it is the first. Servers that all do not tell their state are taken as equals.
fn pick(standings: &[Standing], choice: NodeChoice) -> Option<usize> {
    let nothing_known = standings.iter().all(|standing| standing.status.is_none());
    let candidates = standings.iter().enumerate().rev();
    let best = match choice {
        NodeChoice::Any => return Some(0),
        NodeChoice::Leader if !nothing_known => candidates
            .filter(|(_, standing)| standing.leads())
            // One that lost its office and does not know it yet is of an earlier term.
            .max_by_key(|(_, standing)| standing.term()),
        NodeChoice::Leader | NodeChoice::Freshest => {
            candidates.max_by_key(|(_, standing)| (standing.applied_index(), standing.leads()))
        }
    };
    best.map(|(position, _)| position)
}

/// Notes what speaks against the chosen server, if anything does.
fn say_standing(standings: &[Standing], chosen: usize, note: &mut dyn FnMut(&Note)) {
    let Some(standing) = standings.get(chosen) else { return };
    let address = || standing.address.clone();
    let Some(applied) = standing.applied_index() else {
        note(&Note::StateUnknown { chosen: address() });
        return;
    };
    let ahead = standings
        .iter()
        .filter_map(|other| Some((other.applied_index()?.checked_sub(applied)?, &other.address)))
        .max_by_key(|(entries, _)| *entries)
        .filter(|(entries, _)| *entries > 0);
    if let Some((entries, ahead)) = ahead {
        note(&Note::Behind { chosen: address(), ahead: ahead.clone(), entries });
    }
    if !standings.iter().any(Standing::leads) {
        note(&Note::NotLeader { chosen: address(), leader: standing.known_leader() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `port term applied`, with `L` for a leader; `port -` is a server that does not tell.
    fn standing(text: &str) -> Standing {
        let mut words = text.split(' ');
        let address = format!("localhost:{}", words.next().unwrap()).parse().unwrap();
        let status = match words.next().unwrap() {
            "-" => None,
            term => Some(ClusterStatus {
                current_term: term.parse().unwrap(),
                last_applied: words.next().unwrap().to_owned(),
                is_leader: words.next() == Some("L"),
                leader: Some("id=9".to_owned()),
                ..ClusterStatus::default()
            }),
        };
        Standing { address, status }
    }

    #[track_caller]
    fn check(choice: NodeChoice, standings: &[&str], chosen: Option<usize>, expected: &[&str]) {
        let standings: Vec<_> = standings.iter().map(|text| standing(text)).collect();
        assert_eq!(pick(&standings, choice), chosen);
        let mut notes = Vec::new();
        if let Some(chosen) = chosen {
            say_standing(&standings, chosen, &mut |note| notes.push(note.to_string()));
        }
        assert_eq!(notes, expected);
    }

    #[test]
    fn the_leader() {
        let choice = NodeChoice::Leader;
        check(choice, &["1 1 T1-N1.5", "2 1 T1-N1.5 L"], Some(1), &[]);
        check(
            choice,
            &["1 1 T1-N1.1006", "2 1 T1-N1.5 L"],
            Some(1),
            &["localhost:2 is 1,001 log entries behind localhost:1"],
        );
        check(choice, &["1 1 T1-N1.5 L", "2 2 T2-N2.5 L", "3 1 T1-N1.5 L"], Some(1), &[]);
        check(choice, &["1 1 T1-N1.5", "2 -"], None, &[]);
        check(
            choice,
            &["1 -", "2 -"],
            Some(0),
            &["localhost:1 does not report its state: it may be behind other servers"],
        );
    }

    #[test]
    fn the_freshest() {
        let choice = NodeChoice::Freshest;
        check(choice, &["1 1 T1-N1.4 L", "2 1 T1-N1.5"], Some(1), &[]);
        check(choice, &["1 1 T1-N1.5", "2 1 T1-N1.5 L", "3 1 T1-N1.5"], Some(1), &[]);
        let follower = "localhost:1 is a follower, which may be behind the leader (id=9)";
        check(choice, &["1 1 T1-N1.5", "2 1 T1-N1.5"], Some(0), &[follower]);
        check(choice, &["1 1 1-1-5", "2 -", "3 1 None"], Some(0), &[follower]);
        check(choice, &["1 1 T1-N1.9", "2 1 T1-N1.10 L"], Some(1), &[]);
    }

    #[test]
    fn any() {
        let choice = NodeChoice::Any;
        check(choice, &["1 1 T1-N1.5 L"], Some(0), &[]);
        check(
            choice,
            &["1 1 T1-N1.5", "2 1 T1-N1.6 L"],
            Some(0),
            &["localhost:1 is 1 log entry behind localhost:2"],
        );
    }
}
