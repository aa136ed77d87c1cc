//! Rounds: a checkpoint, the witnesses that are asked about it, and what is given out in the end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use oacp_registry::Log;
use oacp_tlog::checkpoint::SignedCheckpoint;
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::asking::{Answer, AskError, Asked, ask};
use super::{CosigningOptions, CosigningStatus, NotCosigned, WitnessStatus};
use crate::operator::chain;

/// Everything that the task knows.
pub(super) struct Rounds {
    log: Log,
    options: CosigningOptions,
    witnesses: Vec<Witness>,
    asks: JoinSet<Asking>,
    status: watch::Sender<CosigningStatus>,
}

/// A witness, and what is known of it.
struct Witness {
    asked: Arc<Asked>,
    /// Entries that it has cosigned, as far as is known.
    known: u64,
    /// The asking that it has not answered.
    asked_in: Option<task::Id>,
    /// Entries under the newest checkpoint that it cosigned when asked. `None`: it has not yet.
    cosigned: Option<u64>,
    /// It is not asked before.
    not_before: Instant,
    status: WitnessStatus,
}

/// What came of asking a witness.
struct Asking {
    witness: usize,
    known: u64,
    /// What it was asked about.
    checkpoint: SignedCheckpoint,
    result: Result<Answer, AskError>,
}

/// One checkpoint and its cosignatures.
struct Round {
    /// As the log signed it: what witnesses are sent.
    bare: SignedCheckpoint,
    /// With what they answered.
    cosigned: SignedCheckpoint,
    /// Whether it waits for its quorum and has not been given out.
    is_open: bool,
    /// When it is tried again to give it out, which failed.
    again_at: Option<Instant>,
}

impl Rounds {
    pub(super) fn new(
        log: Log,
        options: CosigningOptions,
        asked: Vec<Asked>,
        status: watch::Sender<CosigningStatus>,
    ) -> Self {
        let witness = |asked: Asked| Witness {
            known: 0,
            asked_in: None,
            cosigned: None,
            not_before: Instant::now(),
            status: WitnessStatus {
                names: asked.names.clone(),
                url: asked.peer.url().to_owned(),
                ..WitnessStatus::default()
            },
            asked: Arc::new(asked),
        };
        let rounds = Self {
            log,
            options,
            witnesses: asked.into_iter().map(witness).collect(),
            asks: JoinSet::new(),
            status,
        };
        rounds.show(|_| {});
        rounds
    }

    /// One round after the other, for ever.
    pub(super) async fn run(mut self) {
        let mut last = None;
        loop {
            let Some(bare) = self.of_log(Log::committed).await else {
                return;
            };
            match last {
                Some(size) if bare.size() <= size => self.grown(size).await,
                _ => {
                    last = Some(bare.size());
                    self.round(bare).await;
                }
            }
        }
    }

    /// Asks the log, which may wait for its disk. `None`: the program is ending.
    async fn of_log<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Log) -> T + Send + 'static,
    ) -> Option<T> {
        let log = self.log.clone();
        task::spawn_blocking(move || ask(&log)).await.ok()
    }

    /// Waits until the log has more entries, whoever appended them.
    fn grown(&self, size: u64) -> impl Future<Output = ()> + use<> {
        let (log, look) = (self.log.clone(), self.options.pace.look);
        async move {
            while timeout(look, log.grown(size)).await.is_err() {
                // Asking is what makes another process' entries seen, and it may read the disk.
                let log = log.clone();
                let _ = task::spawn_blocking(move || log.committed()).await;
            }
        }
    }

    /// Asks about a checkpoint, gives it out, and goes on asking until there is a newer one and this one has been given out.
    async fn round(&mut self, bare: SignedCheckpoint) {
        let began = Instant::now();
        let size = bare.size();
        let mut round = Round {
            cosigned: self.given_out_already(&bare).await,
            bare,
            is_open: true,
            again_at: None,
        };
        self.show(|status| status.asked = size);
        if self.has_quorum(&round.cosigned) {
            self.give_out(&mut round).await;
        }
        let grown = self.grown(size);
        let between = self.options.pace.between_rounds;
        let grown = async move {
            grown.await;
            sleep_until(began + between).await;
        };
        tokio::pin!(grown);
        loop {
            self.ask_those_that_may(&round);
            let is_waited_for = self
                .witnesses
                .iter()
                .any(|witness| witness.asked_in.is_some());
            if round.is_open && !is_waited_for {
                self.give_out(&mut round).await;
            }
            let next = [self.next_asking(&round), round.again_at];
            let next = next.into_iter().flatten().min();
            if round.again_at.is_some_and(|at| at <= Instant::now()) {
                self.give_out(&mut round).await;
            }
            tokio::select! {
                // A round that has been given out makes room; before that, a newer checkpoint waits.
                () = &mut grown, if !round.is_open => return,
                Some(asking) = self.asks.join_next(), if !self.asks.is_empty() => {
                    match asking {
                        Ok(asking) => self.take(asking, &mut round).await,
                        // A bug in asking is this witness' failure, and nobody else's.
                        Err(broken) => self.forget(broken.id()),
                    }
                }
                () = sleep_until(next.unwrap_or(began)), if next.is_some() => {}
            }
        }
    }

    /// Cosignatures that a checkpoint has from before a restart are kept.
    async fn given_out_already(&self, bare: &SignedCheckpoint) -> SignedCheckpoint {
        let given_out = self.of_log(Log::checkpoint).await.flatten();
        given_out
            .filter(|given_out| given_out.checkpoint() == bare.checkpoint())
            .unwrap_or_else(|| bare.clone())
    }

    fn ask_those_that_may(&mut self, round: &Round) {
        let (size, now) = (round.bare.size(), Instant::now());
        for (index, witness) in self.witnesses.iter_mut().enumerate() {
            if witness.asked_in.is_some()
                || witness.cosigned >= Some(size)
                || witness.not_before > now
            {
                continue;
            }
            let (asked, log) = (Arc::clone(&witness.asked), self.log.clone());
            let (checkpoint, mut known) = (round.bare.clone(), witness.known);
            let time = self.options.pace.answer;
            let asking = self.asks.spawn(async move {
                let asking = ask(&asked, &log, &checkpoint, &mut known, time);
                let result = match timeout(time, asking).await {
                    Ok(result) => result,
                    Err(_) => Err(AskError::Late(time)),
                };
                Asking {
                    witness: index,
                    known,
                    checkpoint,
                    result,
                }
            });
            witness.asked_in = Some(asking.id());
        }
    }

    /// When a witness that waits its time may be asked about this round's checkpoint.
    fn next_asking(&self, round: &Round) -> Option<Instant> {
        let waits = self.witnesses.iter().filter(|witness| {
            witness.asked_in.is_none() && witness.cosigned < Some(round.bare.size())
        });
        waits.map(|witness| witness.not_before).min()
    }

    /// Takes in what a witness answered, and gives the checkpoint out if that makes a quorum, or if it has been given out already and
    /// now has more.
    async fn take(&mut self, asking: Asking, round: &mut Round) {
        let now = (self.options.clock)();
        let pace = self.options.pace;
        let Some(witness) = self.witnesses.get_mut(asking.witness) else {
            return;
        };
        witness.asked_in = None;
        witness.known = asking.known;
        let size = asking.checkpoint.size();
        let status = &mut witness.status;
        let (line, cosignatures) = match asking.result {
            Ok(answer) => {
                let was_lost = status.failures > 0;
                status.size = Some(size);
                status.last_ok = Some(now);
                status.failures = 0;
                status.foreign += answer.foreign;
                status.bad += answer.bad;
                witness.cosigned = Some(size);
                let line = was_lost.then(|| format!("witness `{}` cosigns again", status.url));
                (line, answer.cosignatures)
            }
            Err(error) => {
                if let AskError::Nothing { foreign, bad } = error {
                    status.foreign += foreign;
                    status.bad += bad;
                }
                let is_new = status.failures == 0;
                status.failures = status.failures.saturating_add(1);
                witness.not_before = Instant::now() + backoff(pace, status.failures);
                let text = chain(&error);
                let line = format!("witness `{}` does not cosign: {text}", status.url);
                status.last_error = Some(NotCosigned {
                    at: now,
                    reason: text,
                });
                (is_new.then_some(line), Vec::new())
            }
        };
        if let Some(line) = line {
            (self.options.operator)(&line);
        }
        self.show(|_| {});
        // A late answer about an older checkpoint is of no use: a newer one is asked about.
        if asking.checkpoint.checkpoint() != round.bare.checkpoint() {
            return;
        }
        let had_quorum = self.has_quorum(&round.cosigned);
        let before = round.cosigned.clone();
        for cosignature in cosignatures {
            // A full note has enough of them.
            let _ = round.cosigned.add_signature(cosignature);
        }
        let has_more = round.cosigned != before;
        let has_quorum = self.has_quorum(&round.cosigned);
        if has_more && (has_quorum != had_quorum || !round.is_open) {
            self.give_out(round).await;
        }
    }

    fn forget(&mut self, asking: task::Id) {
        let (now, pace) = (Instant::now(), self.options.pace);
        for witness in &mut self.witnesses {
            if witness.asked_in == Some(asking) {
                witness.asked_in = None;
                witness.not_before = now + pace.retry_max;
            }
        }
    }

    fn has_quorum(&self, checkpoint: &SignedCheckpoint) -> bool {
        self.options.policy.check(checkpoint).is_ok()
    }

    /// Gives the checkpoint out with what there is.
    async fn give_out(&mut self, round: &mut Round) {
        round.is_open = false;
        let checkpoint = round.cosigned.clone();
        let given_out = self.of_log(move |log| log.publish(checkpoint)).await;
        let failure = match given_out {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(chain(&error)),
            None => Some("the program is ending".to_owned()),
        };
        let before = self.status.borrow().clone();
        if let Some(text) = failure {
            if before.not_given_out.is_none() {
                (self.options.operator)(&format!("a checkpoint cannot be given out: {text}"));
            }
            round.again_at = Some(Instant::now() + self.options.pace.retry_max);
            self.show(|status| status.not_given_out = Some(text));
            return;
        }
        round.again_at = None;
        let (size, has_quorum) = (round.bare.size(), self.has_quorum(&round.cosigned));
        let line = match (before.has_quorum, has_quorum) {
            (None | Some(true), false) => Some("is given out without a quorum of witnesses"),
            (Some(false), true) => Some("has a quorum of witnesses again"),
            _ => None,
        };
        if let Some(line) = line {
            (self.options.operator)(&format!("the checkpoint of {size} entries {line}"));
        }
        self.show(|status| {
            status.not_given_out = None;
            status.has_quorum = Some(has_quorum);
            if has_quorum {
                status.witnessed = size;
            }
        });
    }

    /// Shows how the witnesses stand, and what else has changed.
    fn show(&self, change: impl FnOnce(&mut CosigningStatus)) {
        let witnesses = self.witnesses.iter().map(|witness| witness.status.clone());
        let witnesses = witnesses.collect();
        self.status.send_modify(|status| {
            status.witnesses = witnesses;
            change(status);
        });
    }
}

/// How long a witness is left alone after so many failures in a row, from 1.
fn backoff(pace: super::Pace, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    pace.retry_first
        .saturating_mul(1 << doublings)
        .min(pace.retry_max)
}
