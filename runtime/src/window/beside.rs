//! Averaging in a thread of its own: a network that leaves the processor free does not wait for it.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{Scope, ScopedJoinHandle},
};

use ndarray::{Array4, ArrayViewMut4, Axis};
use rayon::prelude::*;

use super::{
    averaging::{Averaging, Behind, Step},
    plan::Window,
};
use crate::RuntimeError;

/// Hands everything on to a thread that averages.
///
/// Logits are copied, because the network writes the next ones where they lie; the copies are the
/// only thing that it waits for, as long as averaging is the faster of the two.
pub(super) struct Beside<'scope> {
    messages: Sender<Message>,
    /// Copies that were read.
    read: Receiver<Array4<f32>>,
    /// Copies that may still be made: what bounds the memory of all that waits.
    left: usize,
    /// Told when sums that were made elsewhere are added, and how many more may wait for that.
    added: Receiver<()>,
    sums_left: usize,
    /// Set where nothing will come of what waits.
    given_up: Arc<AtomicBool>,
    thread: ScopedJoinHandle<'scope, Result<(), RuntimeError>>,
}

enum Message {
    Logits {
        window: Window,
        view: usize,
        task: usize,
        logits: Array4<f32>,
    },
    Step(Step),
}

impl<'scope> Beside<'scope> {
    /// Starts the thread; up to `room` logits wait for it, and sums of up to so many tasks.
    pub(super) fn start<'env: 'scope>(
        scope: &'scope Scope<'scope, 'env>,
        mut averaging: Averaging<'env>,
        room: usize,
        tasks: usize,
    ) -> Beside<'scope> {
        let (messages, waiting) = channel();
        let (done, read) = channel();
        let (tell, added) = channel();
        let given_up = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&given_up);
        let thread = scope.spawn(move || {
            for message in waiting {
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                match message {
                    Message::Step(step) => {
                        let sums = matches!(step, Step::Sums(..));
                        averaging.step(step)?;
                        if sums {
                            // As below.
                            let _ = tell.send(());
                        }
                    }
                    Message::Logits {
                        window,
                        view,
                        task,
                        mut logits,
                    } => {
                        averaging.logits(&window, view, task, logits.view_mut())?;
                        // Nobody needs it after the last window.
                        let _ = done.send(logits);
                    }
                }
            }
            Ok(())
        });
        Beside {
            messages,
            read,
            left: room.max(1),
            added,
            sums_left: tasks.max(1),
            given_up,
            thread,
        }
    }

    /// Waits until everything is averaged, or what is being averaged if the network `failed`.
    ///
    /// Errors: those of averaging, the first of which ended it.
    pub(super) fn finish(self, failed: bool) -> Result<(), RuntimeError> {
        self.given_up.store(failed, Ordering::Relaxed);
        drop(self.messages);
        self.thread
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn send(&self, message: Message) -> Result<(), RuntimeError> {
        // The thread ended, whose own error `finish` returns.
        self.messages
            .send(message)
            .map_err(|_| RuntimeError::Cancelled)
    }
}

impl Behind for Beside<'_> {
    fn logits(
        &mut self,
        window: &Window,
        view: usize,
        task: usize,
        logits: ArrayViewMut4<'_, f32>,
    ) -> Result<(), RuntimeError> {
        let mut copy = match self.read.try_recv() {
            Ok(copy) => copy,
            Err(_) if self.left > 0 => {
                self.left -= 1;
                Array4::zeros(logits.dim())
            }
            Err(_) => self.read.recv().map_err(|_| RuntimeError::Cancelled)?,
        };
        let planes: Vec<_> = copy
            .axis_iter_mut(Axis(1))
            .zip(logits.axis_iter(Axis(1)))
            .collect();
        planes
            .into_par_iter()
            .for_each(|(mut copy, logits)| copy.assign(&logits));
        self.send(Message::Logits {
            window: window.clone(),
            view,
            task,
            logits: copy,
        })
    }

    fn step(&mut self, step: Step) -> Result<(), RuntimeError> {
        if matches!(step, Step::Sums(..)) {
            self.sums_left += self.added.try_iter().count();
            match self.sums_left.checked_sub(1) {
                Some(left) => self.sums_left = left,
                None => self.added.recv().map_err(|_| RuntimeError::Cancelled)?,
            }
        }
        self.send(Message::Step(step))
    }
}
