//! Room for large bodies: a few of them are in memory at the same time, however many checks run.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Moment;

/// Bytes of large bodies that are read and judged at the same time.
const SPACE: usize = 3 << 19;

/// A space that is taken and left.
#[derive(Debug)]
pub struct Room {
    free: Mutex<usize>,
    left: Condvar,
}

impl Default for Room {
    fn default() -> Self {
        Self { free: Mutex::new(SPACE), left: Condvar::new() }
    }
}

impl Room {
    /// A place that takes nothing yet.
    pub fn place(&self) -> Place<'_> {
        Place { room: self, taken: Cell::new(0) }
    }
}

/// A place in a room; it is left when this is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    room: &'a Room,
    taken: Cell<usize>,
}

impl Place<'_> {
    /// Takes so many bytes once, and tells how long that took. When they do not become free in
    /// time it goes on without: the bound on memory gives way, an answer is not lost to somebody
    /// else's. What is larger than the whole room takes all of it.
    pub fn take(&self, bytes: usize, patience: Duration) -> Duration {
        if self.taken.get() > 0 {
            return Duration::ZERO;
        }
        let began = Moment::now();
        let bytes = bytes.min(SPACE);
        let free = self.room.free.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut free, waited) = self
            .room
            .left
            .wait_timeout_while(free, patience, |free| *free < bytes)
            .unwrap_or_else(PoisonError::into_inner);
        if !waited.timed_out() {
            *free -= bytes;
            self.taken.set(bytes);
        }
        began.elapsed()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.taken.get() > 0 {
            *self.room.free.lock().unwrap_or_else(PoisonError::into_inner) += self.taken.get();
            self.room.left.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LATE: Duration = Duration::from_secs(60);

    fn free(room: &Room) -> usize {
        *room.free.lock().unwrap()
    }

    #[test]
    fn a_full_room_makes_one_wait_and_does_not_lock_it_out() {
        let room = Room::default();
        let huge = room.place();
        assert!(huge.take(usize::MAX, LATE) < LATE);
        assert_eq!(free(&room), 0);
        let late = room.place();
        assert!(late.take(1, SOON) >= SOON);
        drop(late);
        assert_eq!(free(&room), 0, "what was not taken is not left");
        drop(huge);
        assert_eq!(free(&room), SPACE);
    }

    #[test]
    fn what_is_left_is_taken_by_who_waits() {
        let room = Room::default();
        let [first, second] = [room.place(), room.place()];
        for place in [&first, &second] {
            place.take(SPACE / 2, LATE);
            place.take(SPACE / 2, LATE);
        }
        assert_eq!(free(&room), 0, "a place is taken once");
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| room.place().take(SPACE / 2, LATE));
            drop(second);
            assert!(waits.join().unwrap() < LATE);
        });
        assert_eq!(free(&room), SPACE / 2);
    }
}
