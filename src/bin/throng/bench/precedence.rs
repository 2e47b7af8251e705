//! Who goes first where threads of the generator share a processor.
//!
//! ```text
//! go_first()  ->  true: SCHED_FIFO at its lowest priority, before all threads of the usual kind
//! ```

use thread_priority::ThreadPriority;
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// Lets this thread run whenever it has something to do, and answers whether the system allows it:
/// root may, and whoever has `CAP_SYS_NICE`.
pub(crate) fn go_first() -> bool {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy).is_ok()
}
