//! Logs in directories, and a clock that is set by hand.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use oacp::time::Timestamp;
use oacp_registry::{Log, LogOptions, Publication};

use crate::fixture;

/// A clock.
#[derive(Clone)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(fixture::NOW_MS)))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.0.load(Ordering::SeqCst))
    }

    pub fn pass_days(&self, days: i64) {
        self.0.fetch_add(days * 86_400_000, Ordering::SeqCst);
    }
}

pub fn options(time: &Time) -> LogOptions {
    let time = time.clone();
    LogOptions {
        origin: fixture::origin(),
        key: fixture::log_key(),
        nodes: vec![fixture::node().public()],
        publication: Publication::AtOnce,
        clock: Arc::new(move || time.now()),
    }
}

pub fn open(dir: &Path) -> Log {
    open_at(dir, &Time::new())
}

pub fn open_at(dir: &Path, time: &Time) -> Log {
    Log::open(dir, options(time)).unwrap()
}
