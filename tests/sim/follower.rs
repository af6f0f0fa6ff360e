//! A follower that frames are lost, repeated and shuffled for ends up where the log is, and on the
//! way applies nothing but what the log says, in its order.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;
use switchback::domain::UnixMillis;
use switchback::index::{Delta, Index};
use switchback::replica::feed::{Frame, NackCause, Request};
use switchback::replica::follower::{Change, Follower};
use switchback::replica::log::{Cursor, Entry, Stream};
use switchback::replica::wire;
use uuid::Uuid;

use super::decision::check_call;
use super::world::{self, Edit, World};

/// The log's keeper. One stream; the follower treats each alike.
struct Keeper {
    epoch: Uuid,
    world: World,
    /// Every place with the world as it was there, the origin first.
    places: Vec<(Cursor, World)>,
    entries: Vec<Entry>,
}

impl Keeper {
    fn new(epoch: u128, world: World) -> Self {
        let epoch = Uuid::from_u128(epoch);
        let origin = Cursor::origin(epoch);
        Self { epoch, places: vec![(origin, world.clone())], world, entries: vec![] }
    }

    fn commit(&mut self, edit: Edit) {
        let (deltas, _) = self.world.edit(edit);
        let entry = Entry::next(&self.head(), wire::encode(&deltas).into());
        self.places.push((entry.cursor(self.epoch), self.world.clone()));
        self.entries.push(entry);
    }

    fn head(&self) -> Cursor {
        self.places.last().unwrap().0
    }

    fn tail(&self, after: u64) -> Frame {
        let entries = self.entries[after as usize..].to_vec();
        Frame::Batch { stream: Stream::Control, epoch: self.epoch, entries }
    }

    fn beat(&self) -> Frame {
        Frame::Beat { stream: Stream::Control, head: self.head(), at: UnixMillis(0) }
    }

    fn snapshot(&self) -> Vec<Frame> {
        let deltas = self.world.snapshot().0;
        let parts: Vec<_> = deltas.chunks(3).collect();
        let part = |(n, part): (usize, &&[Delta])| Frame::Snapshot {
            stream: Stream::Control,
            cursor: self.head(),
            part: n as u32,
            deltas: part.to_vec(),
            last: n + 1 == parts.len(),
        };
        parts.iter().enumerate().map(part).collect()
    }

    fn answer(&self, request: &Request) -> Vec<Frame> {
        let anew = || {
            let mut frames = vec![Frame::Resync { stream: Stream::Control }];
            frames.extend(self.snapshot());
            frames
        };
        match request {
            Request::From { cursor: Some(cursor), .. }
                if self.places.iter().any(|(place, _)| place == cursor) =>
            {
                vec![self.tail(cursor.seq)]
            }
            Request::From { .. } | Request::Nack { cause: NackCause::OtherEpoch, .. } => anew(),
            Request::Ack { .. } => vec![],
            Request::Nack { cause, .. } => panic!("{cause:?}"),
        }
    }
}

/// What the world does, and what the network does with each frame in turn.
#[derive(Clone, Debug)]
enum Event {
    Commit(Edit),
    SendLast(usize),
    Beat,
    /// The store comes back from a backup, some entries ago, under a new name.
    Restore(usize),
    Deliver,
    DeliverTwice,
    Lose,
    /// To the back of the queue.
    Delay,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => world::control_edit().prop_map(Event::Commit),
        10 => (1..4_usize).prop_map(Event::SendLast),
        3 => Just(Event::Beat),
        1 => (0..5_usize).prop_map(Event::Restore),
        20 => Just(Event::Deliver),
        3 => Just(Event::DeliverTwice),
        3 => Just(Event::Lose),
        3 => Just(Event::Delay),
    ]
}

struct Net {
    keeper: Keeper,
    former: Vec<Keeper>,
    queue: VecDeque<Frame>,
    follower: Follower,
    index: Index,
    writer: switchback::index::Writer,
}

impl Net {
    fn deliver(&mut self, frame: Frame) {
        let before = self.follower.cursor(Stream::Control);
        let step = self.follower.handle(frame, |_| 0);
        let after = self.follower.cursor(Stream::Control);
        match &step.change {
            None => assert_eq!(before, after),
            Some(change) => self.check(change, before, after.unwrap()),
        }
        if let Some(change) = step.change {
            change.apply(&mut self.writer);
        }
        if let Some(request) = step.reply {
            self.queue.extend(self.keeper.answer(&request));
        }
    }

    /// What is applied is what some keeper logged between the two places, or had at the second.
    fn check(&self, change: &Change, before: Option<Cursor>, after: Cursor) {
        let all = self.former.iter().chain([&self.keeper]);
        let keeper = all
            .filter(|keeper| keeper.epoch == after.epoch)
            .find(|keeper| keeper.places.iter().any(|(place, _)| *place == after))
            .unwrap();
        match change {
            Change::Apply(deltas) => {
                let entries = &keeper.entries[before.unwrap().seq as usize..after.seq as usize];
                let logged: Vec<_> =
                    entries.iter().flat_map(|entry| wire::decode(&entry.body).unwrap()).collect();
                assert_eq!(deltas, &logged);
            }
            Change::Replace(stream, deltas) => {
                assert_eq!(*stream, Stream::Control);
                assert_eq!(deltas, &keeper.places[after.seq as usize].1.snapshot().0);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Commit(edit) => self.keeper.commit(edit),
            Event::SendLast(count) => {
                let after = self.keeper.entries.len().saturating_sub(count);
                self.queue.push_back(self.keeper.tail(after as u64));
            }
            Event::Beat => self.queue.push_back(self.keeper.beat()),
            Event::Restore(back) => {
                let place = self.keeper.places.len().saturating_sub(1 + back);
                let world = self.keeper.places[place].1.clone();
                let epoch = self.keeper.epoch.as_u128() + 1;
                self.former.push(std::mem::replace(&mut self.keeper, Keeper::new(epoch, world)));
            }
            Event::Deliver => {
                if let Some(frame) = self.queue.pop_front() {
                    self.deliver(frame);
                }
            }
            Event::DeliverTwice => {
                if let Some(frame) = self.queue.pop_front() {
                    self.deliver(frame.clone());
                    self.deliver(frame);
                }
            }
            Event::Lose => drop(self.queue.pop_front()),
            Event::Delay => {
                if let Some(frame) = self.queue.pop_front() {
                    self.queue.push_back(frame);
                }
            }
        }
    }

    /// The network heals; beats go on.
    fn settle(&mut self) {
        for _ in 0..20 {
            while let Some(frame) = self.queue.pop_front() {
                self.deliver(frame);
            }
            if self.follower.cursor(Stream::Control) == Some(self.keeper.head()) {
                return;
            }
            self.queue.push_back(self.keeper.beat());
        }
        panic!("the follower does not arrive");
    }
}

proptest! {
    #![proptest_config(crate::histories(300))]

    #[test]
    fn a_follower_arrives(
        events in vec(event(), 1..120),
        calls in vec(world::call(), 20),
    ) {
        let (index, writer) = Index::new(None);
        let keeper = Keeper::new(1, World::new());
        let mut net = Net {
            keeper, former: vec![], queue: VecDeque::new(), follower: Follower::default(), index, writer,
        };
        for event in events {
            net.happen(event);
        }
        net.settle();
        // Nobody has called anybody: only the directory differs.
        for (call, now) in calls {
            check_call(&net.keeper.world, None, &net.index.view(), &call, now);
        }
    }
}
