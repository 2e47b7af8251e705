//! The adapter of a server on its own whose clients may recover: it gives each event its offset,
//! delivers it, and keeps it in a store that it shares with those of other namespaces.
//!
//! ```text
//! 2["chat","hi"    ->    2["chat","hi","Q7_Nb4W"]
//! ```

use std::time::Duration;

use super::store::{RecoveryStore, ShareId};
use crate::config::RecoveryConfig;
use crate::socketio::adapter::{
    Adapter, BroadcastOptions, Emitted, Local, OutgoingEvent, Request, RestoredSession,
    SavedSession,
};

/// The adapter of a server on its own whose clients may recover; what a server has by itself if
/// [`SocketConfig::recovery`](crate::config::SocketConfig::recovery) is set and no adapter given.
///
/// It is swept every 60 s, as in the reference: until then what is too old may still be there, but
/// no session that is too old is restored. A restore leaves the session where it is.
///
/// ```
/// use throng::adapter::{Adapter, BroadcastOptions, Local, OutgoingEvent, RecoveringAdapter};
/// use throng::Emitted;
///
/// /// Recovers, and counts.
/// struct Counting(RecoveringAdapter, u64);
///
/// impl Adapter for Counting {
///     fn broadcast(
///         &mut self,
///         local: &mut Local<'_>,
///         event: OutgoingEvent,
///         options: &BroadcastOptions,
///     ) -> Emitted {
///         self.1 += 1;
///         self.0.broadcast(local, event, options)
///     }
///     // And so on, for what else it is to do.
/// }
/// ```
#[derive(Debug)]
pub struct RecoveringAdapter {
    store: RecoveryStore,
    share: ShareId,
    sweep_at: Option<Duration>,
}

impl RecoveringAdapter {
    /// An adapter with a store of its own: the limits are for its namespace alone. Several share
    /// them by [`RecoveryStore::adapter`].
    pub fn new(config: RecoveryConfig) -> Self {
        RecoveryStore::new(config).adapter()
    }

    pub(super) fn on(store: RecoveryStore, share: ShareId) -> Self {
        Self { store, share, sweep_at: None }
    }

    fn schedule_sweep(&mut self, now: Duration) {
        self.sweep_at.get_or_insert(now.saturating_add(SWEEP_INTERVAL));
    }
}

impl Adapter for RecoveringAdapter {
    fn broadcast(
        &mut self,
        local: &mut Local<'_>,
        mut event: OutgoingEvent,
        options: &BroadcastOptions,
    ) -> Emitted {
        if event.wants_ack() || options.volatile {
            return local.broadcast(event, options);
        }
        let now = local.now();
        let offset = self.store.with(|store| store.next_offset(self.share, now.wall));
        event.append(&offset.to_text());
        let event = event.finish();
        let emitted = local.deliver(&event, options);
        let now = now.monotonic;
        let evicted = self.store.with(|store| store.store(self.share, now, event, options));
        self.schedule_sweep(now);
        local.state.counters.recovery_events_evicted += evicted as u64;
        emitted
    }

    fn persist_session(&mut self, local: &mut Local<'_>, session: SavedSession) {
        let now = local.now().monotonic;
        let evicted = self.store.with(|store| store.keep(self.share, now, session));
        self.schedule_sweep(now);
        local.state.counters.recovery_sessions_evicted += evicted as u64;
    }

    fn restore_session(
        &mut self,
        local: &mut Local<'_>,
        pid: &str,
        offset: &str,
        request: Request<Option<RestoredSession>>,
    ) {
        let now = local.now().monotonic;
        let found = self.store.with(|store| store.restore(self.share, now, pid, offset));
        request.answer(Ok(found));
    }

    fn deadline(&self) -> Option<Duration> {
        self.sweep_at
    }

    fn handle_deadline(&mut self, local: &mut Local<'_>) {
        let now = local.now().monotonic;
        self.sweep_at = None;
        let is_empty = self.store.with(|store| {
            store.sweep(now);
            store.is_empty(self.share)
        });
        if !is_empty {
            self.schedule_sweep(now);
        }
    }
}

impl Drop for RecoveringAdapter {
    fn drop(&mut self) {
        self.store.with(|store| store.remove(self.share));
    }
}

/// As often as the reference looks.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
