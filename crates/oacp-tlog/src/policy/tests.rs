use proptest::prelude::*;

use super::*;
use crate::SignerKey;
use crate::fixture::{Leaves, ORIGIN, log_key, pq_witness, witness};
use crate::key::ParseVerifierKeyError;
use crate::limits::POLICY_BYTES_MAX;

fn parse(text: &str) -> Result<Policy, ParsePolicyError> {
    Policy::parse(text.as_bytes())
}

/// The log, witnesses w1 to w9, and these lines.
fn policy(lines: &str) -> Policy {
    let mut text = format!("log {}\n", log_key().verifier());
    for n in 1..=9 {
        text += &format!("witness w{n} {}\n", key(n).verifier());
    }
    parse(&(text + lines)).unwrap()
}

/// Odd witnesses have one kind of key, even ones the other.
fn key(n: u8) -> SignerKey {
    if n % 2 == 1 {
        witness(n)
    } else {
        pq_witness(n)
    }
}

/// The checkpoint of 5 leaves, cosigned by those witnesses at those times.
fn cosigned(times: &[(u8, u64)]) -> SignedCheckpoint {
    let keys: Vec<_> = times.iter().map(|(n, time_s)| (key(*n), *time_s)).collect();
    let keys: Vec<_> = keys.iter().map(|(key, time_s)| (key, *time_s)).collect();
    Leaves::new(5).cosigned(5, &keys)
}

/// The quorum's time, or `None` if it is not met.
fn time(policy: &Policy, times: &[(u8, u64)]) -> Option<Option<u64>> {
    policy
        .check(&cosigned(times))
        .ok()
        .map(|found| found.time_s)
}

#[test]
fn the_specifications_example() {
    let mut text = format!("log {}\n\n", log_key().verifier());
    for (name, n) in [("X1", 1), ("X2", 2), ("X3", 3)] {
        text += &format!("witness {name} {}\n", key(n).verifier());
    }
    text += "group X-witnesses 2 X1 X2 X3\n\n";
    for (name, n) in [("Y1", 4), ("Y2", 5), ("Y3", 6)] {
        text += &format!("witness {name} {}\n", key(n).verifier());
    }
    text += "group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n";
    let policy = parse(&text).unwrap();
    assert_eq!(policy.text(), text.as_bytes());
    assert!(policy.needs_witnesses());
    // At least two of X and one of Y.
    for (times, met) in [
        (&[(1, 10), (2, 20), (4, 15)][..], Some(20)),
        (&[(1, 10), (2, 20), (3, 12), (4, 15)], Some(15)),
        (&[(1, 10), (3, 12), (6, 99)], Some(99)),
        (&[(1, 10), (2, 20)], None),
        (&[(1, 10), (4, 15), (5, 15), (6, 15)], None),
        (&[], None),
    ] {
        assert_eq!(time(&policy, times), met.map(Some), "{times:?}");
    }
    let found = policy
        .check(&cosigned(&[(4, 15), (2, 20), (1, 10)]))
        .unwrap();
    assert_eq!(found.witnesses, ["X1", "X2", "Y1"]);
    assert_eq!(found.log, log_key().verifier());
    assert_eq!(
        policy.check(&cosigned(&[(2, 20), (1, 10)])),
        Err(PolicyError::NoQuorum {
            witnesses: vec!["X1".into(), "X2".into()]
        })
    );
}

/// The time of the quorum is the smallest by which those who had cosigned were enough.
#[test]
fn the_time_of_a_quorum() {
    let one = policy("quorum w1\n");
    assert_eq!(time(&one, &[(1, 10)]), Some(Some(10)));
    assert_eq!(time(&one, &[(1, 10), (2, 5)]), Some(Some(10)));
    assert_eq!(time(&one, &[(2, 5)]), None);
    let two_of_three = policy("group g 2 w1 w2 w3\nquorum g\n");
    assert_eq!(
        time(&two_of_three, &[(1, 30), (2, 10), (3, 20)]),
        Some(Some(20))
    );
    assert_eq!(time(&two_of_three, &[(1, 30), (2, 10)]), Some(Some(30)));
    assert_eq!(
        time(&two_of_three, &[(1, 10), (2, 10), (3, 10)]),
        Some(Some(10))
    );
    assert_eq!(
        time(
            &policy("group g any w1 w2\nquorum g\n"),
            &[(1, 30), (2, 10)]
        ),
        Some(Some(10))
    );
    assert_eq!(
        time(
            &policy("group g all w1 w2\nquorum g\n"),
            &[(1, 30), (2, 10)]
        ),
        Some(Some(30))
    );
    // Those whom the policy does not need say nothing about the time.
    let nested = policy("group a 2 w1 w2 w3\ngroup b any w4 w5\ngroup c all a b w6\nquorum c\n");
    let times = [(1, 50), (2, 10), (3, 40), (4, 99), (5, 60), (6, 20), (7, 1)];
    assert_eq!(time(&nested, &times), Some(Some(60)));
    let none = policy("quorum none\n");
    assert_eq!(time(&none, &[(1, 30)]), Some(None));
    assert_eq!(time(&none, &[]), Some(None));
    assert_eq!(none.check(&cosigned(&[(3, 7)])).unwrap().witnesses, ["w3"]);
    assert!(!none.needs_witnesses());
}

/// A cosignature that states no time counts, and is no time.
#[test]
fn the_time_zero() {
    let two_of_three = policy("group g 2 w1 w2 w3\nquorum g\n");
    assert_eq!(time(&two_of_three, &[(1, 0), (2, 10)]), Some(None));
    assert_eq!(
        time(&two_of_three, &[(1, 0), (2, 10), (3, 20)]),
        Some(Some(20))
    );
    assert_eq!(time(&two_of_three, &[(1, 0), (2, 0)]), Some(None));
    assert_eq!(time(&policy("quorum w2\n"), &[(2, 0)]), Some(None));
}

#[test]
fn only_the_policys_logs() {
    let policy = policy("quorum none\n");
    let sign = |origin: &str, key: &SignerKey| {
        let root = Leaves::new(5).root(5);
        let checkpoint = crate::Checkpoint::new(origin, 5, root).unwrap();
        SignedCheckpoint::sign(&checkpoint, key)
    };
    assert!(policy.check(&sign(ORIGIN, &log_key())).is_ok());
    assert_eq!(
        policy.check(&sign("example.com/other", &log_key())),
        Err(PolicyError::UnknownLog {
            origin: "example.com/other".into()
        })
    );
    let not_signed = Err(PolicyError::NotSigned {
        origin: ORIGIN.into(),
    });
    let stranger = SignerKey::ed25519(ORIGIN.parse().unwrap(), &[2; 32]);
    assert_eq!(policy.check(&sign(ORIGIN, &stranger)), not_signed);
    assert_eq!(policy.check(&sign(ORIGIN, &witness(1))), not_signed);
    // A log of two keys, old and new: either will do.
    let old = SignerKey::ed25519(ORIGIN.parse().unwrap(), &[2; 32]);
    let text = format!(
        "log {}\nlog {}\nquorum none\n",
        log_key().verifier(),
        old.verifier()
    );
    let policy = parse(&text).unwrap();
    assert_eq!(
        policy.check(&sign(ORIGIN, &old)).unwrap().log,
        old.verifier()
    );
    assert_eq!(
        policy.check(&sign(ORIGIN, &log_key())).unwrap().log,
        log_key().verifier()
    );
    // Without logs nothing is accepted.
    let empty = parse("quorum none").unwrap();
    assert!(matches!(
        empty.check(&sign(ORIGIN, &log_key())),
        Err(PolicyError::UnknownLog { .. })
    ));
}

/// A bad signature of a known key spoils the checkpoint, needed or not; of an unknown one, it is
/// nothing.
#[test]
fn bad_signatures() {
    let policy = policy("quorum w1\n");
    let good = cosigned(&[(1, 10)]).to_string();
    let check = |lines: &str| {
        policy.check(&SignedCheckpoint::parse(format!("{good}{lines}").as_bytes()).unwrap())
    };
    let other = Leaves::forked_at(5, 0).checkpoint(5);
    for key in [witness(3), pq_witness(2), log_key(), witness(1)] {
        let line = crate::cosign(&other, &key, 7).to_string();
        let name = key.name().clone();
        assert_eq!(check(&line), Err(PolicyError::BadSignature { name }));
    }
    let stranger = SignerKey::ed25519_cosigner("w1".parse().unwrap(), &[9; 32]);
    let line = crate::cosign(&other, &stranger, 7).to_string();
    assert_eq!(check(&line).unwrap().witnesses, ["w1"]);
    // One witness that cosigns twice is one witness.
    let twice = crate::cosign(&cosigned(&[]), &witness(1), 5).to_string();
    let policy = self::policy("group g 2 w1 w2\nquorum g\n");
    let checkpoint = SignedCheckpoint::parse(format!("{good}{twice}").as_bytes()).unwrap();
    assert!(matches!(
        policy.check(&checkpoint),
        Err(PolicyError::NoQuorum { .. })
    ));
}

#[test]
fn lines_are_octets() {
    let (log, w) = (log_key().verifier(), witness(1).verifier());
    let policy = parse(&format!(
        "# a comment\n\t \n  # another: quorum none\n\tlog\t \t{log}   https://log.example/ \nwitness K {w} https://w.example/\nquorum\tK\t\n"
    ))
    .unwrap();
    assert_eq!(policy.logs()[0].url(), Some("https://log.example/"));
    assert_eq!(policy.witnesses()[0].url(), Some("https://w.example/"));
    assert_eq!(policy.witnesses()[0].name(), "K");
    // The last line feed may be missing.
    assert!(parse(&format!("log {log}\nquorum none")).is_ok());
    // K and the Kelvin sign are two names; bytes that are no text are a name.
    let (one, two, three) = (
        witness(1).verifier(),
        witness(2).verifier(),
        witness(3).verifier(),
    );
    let mut text = format!("witness K {one}\nwitness \u{212a} {two}\nwitness ").into_bytes();
    text.extend(b"\xff\xfe ");
    text.extend(format!("{three}\ngroup g all K \u{212a} ").into_bytes());
    text.extend(b"\xff\xfe # is a name here\n");
    let error = Policy::parse(&text).unwrap_err();
    assert_eq!(error.problem, PolicyProblem::Undefined("#".into()));
    let text = String::from_utf8_lossy(&text).replace(" # is a name here", "");
    assert!(!text.contains('#'));
    let mut octets = format!("witness K {one}\nwitness \u{212a} {two}\nwitness ").into_bytes();
    octets.extend(b"\xff\xfe ");
    octets.extend(format!("{three}\ngroup g all K \u{212a} ").into_bytes());
    octets.extend(b"\xff\xfe\nquorum g\n# \xff\n");
    let policy = Policy::parse(&octets).unwrap();
    assert_eq!(policy.text(), octets);
    let names: Vec<_> = policy.witnesses().iter().map(PolicyWitness::name).collect();
    assert_eq!(names, ["K", "\u{212a}", "\\xff\\xfe"]);
    // The same written out is another name.
    let text = format!("witness \\xff\\xfe {one}\nquorum none\n");
    assert_eq!(
        parse(&text).unwrap().witnesses()[0].name(),
        "\\\\xff\\\\xfe"
    );
}

#[test]
fn what_is_no_policy_is_refused_with_its_line() {
    use PolicyProblem::*;
    const LOG: &str = "log <vkey> [<url>]";
    const WITNESS: &str = "witness <name> <vkey> [<url>]";
    const GROUP: &str = "group <name> all|any|<k> <name>...";
    let log = log_key().verifier();
    let (w1, w2, p2) = (
        witness(1).verifier(),
        witness(2).verifier(),
        pq_witness(2).verifier(),
    );
    let same_key = |name: &str, seed: u8| {
        SignerKey::ed25519_cosigner(name.parse().unwrap(), &[seed; 32]).verifier()
    };
    let same_log = SignerKey::ed25519_cosigner("other".parse().unwrap(), &[1; 32]).verifier();
    let ws = format!("witness a {w1}\nwitness b {p2}\n");
    let name = |name: &str, line| (name.to_owned(), line);
    let duplicate = |(name, line)| DuplicateName { name, line };
    let twice = |(name, line)| MemberTwice { name, line };
    let threshold = |given: &str, members| Threshold {
        given: given.to_owned(),
        members,
    };
    let key = |key: &str, source| Key {
        key: key.to_owned(),
        source,
    };
    let unexpected = |item: &str, form| Unexpected {
        unexpected: item.to_owned(),
        form,
    };
    let cases = [
        (String::new(), 1, NoQuorum),
        ("# quorum none\n\n".to_owned(), 2, NoQuorum),
        (ws.clone(), 2, NoQuorum),
        ("quorum none\r\n".to_owned(), 1, Control(0x0d)),
        ("quorum none\n\0\n".to_owned(), 2, Control(0)),
        ("# \u{1b}[2J\nquorum none\n".to_owned(), 1, Control(0x1b)),
        ("# \x7f\nquorum none\n".to_owned(), 1, Control(0x7f)),
        ("Log x\n".to_owned(), 1, Keyword("Log".into())),
        (
            "\u{a0}quorum none\n".to_owned(),
            1,
            Keyword("\u{a0}quorum".into()),
        ),
        ("log\n".to_owned(), 1, Missing(LOG)),
        (format!("log {log} u v\n"), 1, unexpected("v", LOG)),
        (format!("log {log} u # v\n"), 1, unexpected("#", LOG)),
        (
            "log a+b\n".to_owned(),
            1,
            key("a+b", ParseVerifierKeyError::NotAVerifierKey),
        ),
        (
            "log a+00000000+AgcH\n".to_owned(),
            1,
            UnknownKind {
                name: "a".into(),
                type_byte: 2,
            },
        ),
        (format!("log {log}\n\nlog {log} u\n"), 3, DuplicateKey(1)),
        (format!("log {log}\nlog {same_log}\n"), 2, DuplicateKey(1)),
        ("witness\n".to_owned(), 1, Missing(WITNESS)),
        ("witness a\n".to_owned(), 1, Missing(WITNESS)),
        (format!("witness a {log}\n"), 1, NotACosigner("a".into())),
        (format!("witness a {w1} u v\n"), 1, unexpected("v", WITNESS)),
        (format!("{ws}witness a {w2}\n"), 3, duplicate(name("a", 1))),
        (format!("{ws}witness c {w1}\n"), 3, DuplicateKey(1)),
        (format!("{ws}witness c {p2}\n"), 3, DuplicateKey(2)),
        (
            format!("{ws}witness c {}\n", same_key("other", 101)),
            3,
            DuplicateKey(1),
        ),
        (format!("witness none {w1}\n"), 1, None),
        ("group\n".to_owned(), 1, Missing(GROUP)),
        ("group g\n".to_owned(), 1, Missing(GROUP)),
        ("group g any\n".to_owned(), 1, Missing(GROUP)),
        (format!("{ws}group g any c\n"), 3, Undefined("c".into())),
        (format!("{ws}group g any g\n"), 3, Undefined("g".into())),
        (format!("{ws}group g any none\n"), 3, None),
        (format!("{ws}group none any a\n"), 3, None),
        (format!("{ws}group a any b\n"), 3, duplicate(name("a", 1))),
        (format!("{ws}group g any a a\n"), 3, twice(name("a", 3))),
        (
            format!("{ws}group g any a\ngroup h any b a\n"),
            4,
            twice(name("a", 3)),
        ),
        (
            format!("{ws}group g any a\ngroup h any g\ngroup i any g b\n"),
            5,
            twice(name("g", 4)),
        ),
        (format!("{ws}group g 0 a b\n"), 3, threshold("0", 2)),
        (format!("{ws}group g 3 a b\n"), 3, threshold("3", 2)),
        (format!("{ws}group g 01 a b\n"), 3, threshold("01", 2)),
        (format!("{ws}group g +1 a b\n"), 3, threshold("+1", 2)),
        (format!("{ws}group g ALL a b\n"), 3, threshold("ALL", 2)),
        (
            format!("{ws}group g 18446744073709551617 a b\n"),
            3,
            threshold("18446744073709551617", 2),
        ),
        ("quorum\n".to_owned(), 1, Missing("quorum <name>")),
        (
            "quorum none none\n".to_owned(),
            1,
            unexpected("none", "quorum <name>"),
        ),
        ("quorum a\n".to_owned(), 1, Undefined("a".into())),
        (format!("quorum a\n{ws}"), 1, Undefined("a".into())),
        (
            "quorum none\n\nquorum none\n".to_owned(),
            3,
            SecondQuorum(1),
        ),
        (" ".repeat(POLICY_BYTES_MAX + 1), 1, TooLarge),
    ];
    for (text, line, problem) in cases {
        let expected = ParsePolicyError { line, problem };
        assert_eq!(parse(&text).unwrap_err(), expected, "{text:.200}");
    }
    let long = parse(&format!("{} x\n", "y".repeat(1000))).unwrap_err();
    assert_eq!(long.problem, Keyword(format!("{}…", "y".repeat(64))));
    let error = parse("log a+b\n").unwrap_err().to_string();
    assert_eq!(
        error,
        "line 1: `a+b`: not a verifier key: expected a name, `+`, eight lower-case hex digits, `+`, base64"
    );
    assert_eq!(
        parse("log x\u{1}\n").unwrap_err().to_string(),
        "line 1: control character 0x01: only tab and line feed are allowed"
    );
}

#[test]
fn as_many_as_the_specification_asks_for_and_not_many_more() {
    let key = |n: usize| {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&n.to_be_bytes());
        SignerKey::ml_dsa44_cosigner(format!("w{n}").parse().unwrap(), &seed)
            .verifier()
            .to_string()
    };
    let keys: Vec<_> = (0..129).map(key).collect();
    let lines = |keys: &[String], line: fn(usize, &String) -> String| -> String {
        keys.iter()
            .enumerate()
            .map(|(n, key)| line(n, key))
            .collect()
    };
    let logs = |count| lines(&keys[..count], |_, key| format!("log {key}\n"));
    let witnesses = |count| lines(&keys[..count], |n, key| format!("witness w{n} {key}\n"));
    // A chain of groups, each with the one before and a witness.
    let groups = |count: usize| -> String {
        let line = |n: usize| match n {
            0 => "group g0 any w0\n".to_owned(),
            n => format!(
                "group g{n} all g{} {}\n",
                n - 1,
                if n < 32 {
                    format!("w{n}")
                } else {
                    String::new()
                }
            ),
        };
        (0..count).map(line).collect()
    };
    let text = format!("{}{}{}quorum g31\n", logs(32), witnesses(32), groups(32));
    assert!(parse(&text).is_ok());
    let many = [
        (
            format!("{}quorum none\n", logs(128)),
            format!("{}quorum none\n", logs(129)),
            "logs",
        ),
        (
            format!("{}quorum none\n", witnesses(128)),
            format!("{}quorum none\n", witnesses(129)),
            "witnesses",
        ),
        (
            format!("{}{}quorum none\n", witnesses(32), groups(128)),
            format!("{}{}quorum none\n", witnesses(32), groups(129)),
            "groups",
        ),
    ];
    for (enough, too_many, what) in many {
        assert!(parse(&enough).is_ok(), "{what}");
        let problem = PolicyProblem::TooMany { what, max: 128 };
        assert_eq!(parse(&too_many).unwrap_err().problem, problem);
    }
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_none(
        text in "((log|witness|group|quorum|#) ?[a-c+ 0-9\t]{0,9}( any| all| 2)?( [abc]){0,3}\n){0,6}",
    ) {
        if let Ok(policy) = parse(&text) {
            prop_assert_eq!(policy.text(), text.as_bytes());
        }
    }

    /// The time by the walk is the time by trying every time.
    #[test]
    fn the_time_is_the_smallest_that_will_do(
        a in 1..4_usize,
        b in 1..3_usize,
        c in 1..3_usize,
        times in prop::collection::vec(prop::option::of(0..6_u64), 6),
    ) {
        let text = format!("group a {a} w1 w2 w3\ngroup b {b} w4 w5\ngroup c {c} a b\nquorum c\n");
        let policy = policy(&text);
        let met = |by: &dyn Fn(u64) -> bool| {
            let is = |n: usize| times[n].is_some_and(by);
            let count = |members: &[bool], k: usize| members.iter().filter(|is| **is).count() >= k;
            let a = count(&[is(0), is(1), is(2)], a);
            let b = count(&[is(3), is(4)], b);
            count(&[a, b], c)
        };
        let cosigned_at: Vec<_> = (0..6).filter_map(|n| times[n].map(|time_s| (n as u8 + 1, time_s))).collect();
        let expected = met(&|_| true).then(|| (1..6).find(|t| met(&|time_s| (1..=*t).contains(&time_s))));
        prop_assert_eq!(time(&policy, &cosigned_at), expected);
    }
}
