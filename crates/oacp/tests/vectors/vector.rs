//! One case: header lines, an empty line, then the bundle's bytes.

use oacp::*;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Refuse(String),
}

pub struct Vector {
    /// The file's name.
    pub name: String,
    pub verdict: Verdict,
    pub comment: String,
    /// A trust file, as JSON.
    pub trust: String,
    pub now: Timestamp,
    pub expectation: Expectation,
    /// This many spaces follow the bytes.
    pub pad: usize,
    /// The fields that are not known, as a verifier reports them.
    pub unknown: Vec<String>,
    pub bytes: Vec<u8>,
}

impl Vector {
    pub fn to_bytes(&self) -> Vec<u8> {
        let verdict = match &self.verdict {
            Verdict::Accept => "accept".to_owned(),
            Verdict::Refuse(code) => format!("refuse {code}"),
        };
        let mut header = format!(
            "verdict: {verdict}\ncomment: {}\nnow: {}\ntrust: {}\n",
            self.comment, self.now, self.trust
        );
        let Expectation {
            nonce,
            audience,
            agent,
            input,
            execution,
        } = &self.expectation;
        let expected = [
            ("nonce", nonce.as_ref().map(ToString::to_string)),
            ("audience", audience.as_ref().map(ToString::to_string)),
            ("agent", agent.as_ref().map(ToString::to_string)),
            ("input", input.as_ref().map(ToString::to_string)),
            ("execution", execution.as_ref().map(ToString::to_string)),
        ];
        for (name, value) in expected {
            header.extend(value.map(|value| format!("expect-{name}: {value}\n")));
        }
        header.extend(self.unknown.iter().map(|path| format!("unknown: {path}\n")));
        if self.pad > 0 {
            header += &format!("pad: {}\n", self.pad);
        }
        [header.as_bytes(), b"\n", &self.bytes].concat()
    }

    pub fn parse(name: String, file: &[u8]) -> Self {
        let end = file
            .windows(2)
            .position(|pair| pair == b"\n\n")
            .expect("an empty line ends the header");
        let header = std::str::from_utf8(&file[..end]).unwrap();
        let mut vector = Self {
            name,
            verdict: Verdict::Accept,
            comment: String::new(),
            trust: String::new(),
            now: Timestamp::from_unix_ms(0),
            expectation: Expectation::default(),
            pad: 0,
            unknown: vec![],
            bytes: file[end + 2..].to_vec(),
        };
        assert!(
            header.starts_with("verdict: "),
            "the first line is the verdict"
        );
        for line in header.lines() {
            let (field, value) = line.split_once(": ").unwrap();
            let value = value.to_owned();
            match field {
                "verdict" if value == "accept" => {}
                "verdict" => {
                    vector.verdict =
                        Verdict::Refuse(value.strip_prefix("refuse ").unwrap().to_owned())
                }
                "comment" => vector.comment = value,
                "trust" => vector.trust = value,
                "now" => vector.now = value.parse().unwrap(),
                "expect-nonce" => vector.expectation.nonce = Some(value.parse().unwrap()),
                "expect-audience" => vector.expectation.audience = Some(value.parse().unwrap()),
                "expect-agent" => vector.expectation.agent = Some(value.parse().unwrap()),
                "expect-input" => vector.expectation.input = Some(value.parse().unwrap()),
                "expect-execution" => {
                    vector.expectation.execution = Some(value.parse().unwrap());
                }
                "unknown" => vector.unknown.push(value),
                "pad" => vector.pad = value.parse().unwrap(),
                _ => panic!("unknown header `{field}`"),
            }
        }
        vector
    }

    pub fn judge(&self) -> Verdict {
        let trust = Trust::parse(self.trust.as_bytes()).unwrap();
        let mut bytes = self.bytes.clone();
        bytes.resize(bytes.len() + self.pad, b' ');
        let bundle = match Bundle::parse(&bytes) {
            Ok(bundle) => bundle,
            Err(error) => return Verdict::Refuse(error.code().to_owned()),
        };
        match bundle.verify(&trust, &self.expectation, self.now) {
            Ok(verified) => {
                let found = verified
                    .statement()
                    .unknown
                    .iter()
                    .chain(&verified.delegation().unknown)
                    .chain(
                        verified
                            .begin()
                            .into_iter()
                            .flat_map(|begin| &begin.unknown),
                    );
                assert!(
                    found.eq(&self.unknown),
                    "{}: other unknown fields",
                    self.name
                );
                Verdict::Accept
            }
            Err(refusal) => Verdict::Refuse(refusal.code().to_owned()),
        }
    }
}
