//! The thread that flushes, and the one that fills the index behind it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use super::{Pending, Shared, View, chain};
use crate::index::Row;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, SETTLE_ENTRIES_MIN, UNINDEXED_ROWS_MAX};
use crate::sequencer::{FlushError, Placed, Sequencer};

/// Begins to flush what arrives in `queue`, until nobody can send any more.
pub(super) fn begin(shared: Arc<Shared>, queue: Receiver<Pending>) -> io::Result<JoinHandle<()>> {
    let (rows, unindexed) = mpsc::sync_channel(UNINDEXED_ROWS_MAX / BATCH_ENTRIES_MAX);
    let for_index = Arc::clone(&shared);
    let indexer = thread::Builder::new()
        .name("oacp-log-index".to_owned())
        .spawn(move || for_index.fill_index(&unindexed))?;
    thread::Builder::new()
        .name("oacp-log-flush".to_owned())
        .spawn(move || {
            shared.flush_all(&queue, &rows);
            drop(rows);
            // A panic there has been reported by its thread.
            let _ = indexer.join();
            shared.settle_if_worthwhile();
        })
}

impl Shared {
    fn flush_all(&self, queue: &Receiver<Pending>, rows: &SyncSender<Vec<Row>>) {
        let mut next = None;
        while let Some(first) = next.take().or_else(|| queue.recv().ok()) {
            let mut batch = vec![first];
            let (mut entries, mut bytes) = count(&batch);
            // What waits goes along, as far as it fits.
            while let Ok(pending) = queue.try_recv() {
                entries += pending.entries.len();
                bytes += pending.bytes;
                if entries > BATCH_ENTRIES_MAX || bytes > BATCH_BYTES_MAX {
                    next = Some(pending);
                    break;
                }
                batch.push(pending);
            }
            self.flush(batch, rows);
        }
    }

    fn flush(&self, batch: Vec<Pending>, rows: &SyncSender<Vec<Row>>) {
        let (mut entries, mut replies) = (Vec::new(), Vec::new());
        for pending in batch {
            replies.push((pending.entries.len(), pending.reply, pending._room));
            entries.extend(pending.entries);
        }
        let mut sequencer = self.sequencer();
        let index = self.indexed.state();
        sequencer.forget(index.through);
        let mut acknowledged = None;
        let flushed = match index.stopped {
            Some(reason) => Err(FlushError::Stopped(reason)),
            None => sequencer.flush(
                &entries,
                (self.options.clock)().unix_ms(),
                &self.index,
                &mut |placed| {
                    acknowledged = Some(placed);
                },
            ),
        };
        let learnt = sequencer.take_rows();
        match (acknowledged, flushed) {
            (Some(placed), _) => {
                self.remember_delegations(&learnt);
                self.show(&sequencer);
                acknowledge(replies, placed);
            }
            (None, Err(error)) => refuse(replies, &chain(&error)),
            (None, Ok(())) => refuse(replies, "no answer"),
        }
        drop(sequencer);
        if !learnt.is_empty() && rows.send(learnt).is_err() {
            self.stop_index("its thread has ended".to_owned());
        }
    }

    /// Lets readers see what the sequencer has.
    pub(super) fn show(&self, sequencer: &Sequencer) {
        let committed = sequencer.checkpoint().clone();
        let at_once = self.options.publication == super::Publication::AtOnce;
        self.view.send_modify(|view| {
            *view = Arc::new(View {
                published: if at_once {
                    Some(committed.clone())
                } else {
                    view.published.clone()
                },
                committed,
                edge: sequencer.edge().clone(),
            });
        });
    }

    fn remember_delegations(&self, rows: &[Row]) {
        let mut delegations = self.delegations();
        for row in rows {
            let facts = row.facts.as_ref();
            if let Some(delegation) = facts.and_then(|facts| facts.delegation.clone()) {
                delegations.add(delegation);
            }
        }
    }

    fn fill_index(&self, unindexed: &Receiver<Vec<Row>>) {
        while let Ok(rows) = unindexed.recv() {
            if !self.add_to_index(&rows) {
                return;
            }
        }
    }

    /// Adds rows; if that fails, the log takes no more entries: what is not in the index cannot be told from what is new.
    pub(super) fn add_to_index(&self, rows: &[Row]) -> bool {
        let Some(first) = rows.first() else {
            return true;
        };
        match self.index.add(first.index, rows) {
            Ok(through) => {
                self.indexed
                    .change(|state| state.through = state.through.max(through));
                true
            }
            Err(error) => {
                self.stop_index(chain(&error));
                false
            }
        }
    }

    fn stop_index(&self, reason: String) {
        self.indexed.change(|state| {
            let reason = format!("the index cannot be written: {reason}");
            state.stopped.get_or_insert(reason);
        });
    }

    /// Spares the next start-up, and is spared itself when little is to be made again.
    fn settle_if_worthwhile(&self) {
        let mut sequencer = self.sequencer();
        if sequencer.unsettled() >= SETTLE_ENTRIES_MIN {
            // What failed here is made again at start-up.
            let _ = sequencer.settle();
        }
    }
}

fn count(batch: &[Pending]) -> (usize, usize) {
    let entries = batch.iter().map(|pending| pending.entries.len()).sum();
    (entries, batch.iter().map(|pending| pending.bytes).sum())
}

type Reply = (
    usize,
    tokio::sync::oneshot::Sender<Result<Vec<Placed>, String>>,
    tokio::sync::OwnedSemaphorePermit,
);

fn acknowledge(replies: Vec<Reply>, placed: Vec<Placed>) {
    let mut placed = placed.into_iter();
    for (count, reply, _room) in replies {
        // Whoever no longer waits has its entries in the log all the same.
        let _ = reply.send(Ok(placed.by_ref().take(count).collect()));
    }
}

fn refuse(replies: Vec<Reply>, reason: &str) {
    for (_, reply, _room) in replies {
        let _ = reply.send(Err(reason.to_owned()));
    }
}
