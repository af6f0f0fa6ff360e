//! What is logged is read back as it was.

use std::num::NonZeroU32;

use proptest::collection::vec;
use proptest::prelude::*;
use switchback::domain::{
    Account, AccountApi, AccountId, AccountOrigin, Agent, AgentId, AgentState, ApiKey, Attestation,
    CarrierId, Direction, MediaKey, RuntimeMedia, Secret, SharedKey, Target, TenantId,
};
use switchback::index::Delta;
use switchback::replica::wire::{decode, encode};
use uuid::Uuid;

use super::world::{self, World};

fn account() -> impl Strategy<Value = Delta> {
    let tenant = prop::option::of(any::<u128>().prop_map(|n| TenantId(Uuid::from_u128(n))));
    let keys = vec((any::<String>(), any::<String>()), 0..3);
    let cps = any::<Option<u32>>();
    (any::<u128>(), any::<String>(), tenant, vec(any::<String>(), 0..3), keys, cps).prop_map(
        |(id, name, tenant, secrets, keys, calls_per_second)| {
            let shared = |(id, secret)| SharedKey { id, secret: Secret::new(secret) };
            Delta::Account(Account {
                id: AccountId(Uuid::from_u128(id)),
                name,
                carrier: CarrierId::Twilio,
                tenant,
                account_id: "AC1".to_owned(),
                secrets: secrets.into_iter().map(Secret::new).collect(),
                application_id: String::new(),
                shared_keys: keys.into_iter().map(shared).collect(),
                api: AccountApi {
                    url: calls_per_second.map(|n| format!("http://127.0.0.1:{n}")),
                    key: calls_per_second.map(|n| ApiKey {
                        id: format!("SK{n}"),
                        secret: Secret::new(n.to_string()),
                    }),
                    client: calls_per_second.map(|n| ApiKey {
                        id: format!("client {n}"),
                        secret: Secret::new(n.to_string()),
                    }),
                    calls_per_second: calls_per_second
                        .and_then(NonZeroU32::new)
                        .unwrap_or(AccountApi::CALLS_PER_SECOND),
                    ..AccountApi::default()
                },
                origin: AccountOrigin::Api,
            })
        },
    )
}

fn agent() -> impl Strategy<Value = Delta> {
    let parameters = vec((any::<String>(), any::<String>()), 0..3);
    let said = "[^\\p{Z}\\p{C}].{0,40}".prop_map(Target::Say);
    let least = || prop::option::of(prop::sample::select(Attestation::ALL));
    let least = (least(), least());
    let timeout = any::<Option<u32>>();
    let media = prop::option::of(prop::sample::select(RuntimeMedia::ALL));
    (any::<u128>(), any::<String>(), vec(said, 0..3), parameters, timeout, least, media).prop_map(
        |(id, name, targets, runtime_parameters, first_audio_timeout_ms, least, runtime_media)| {
            Delta::Agent(Agent {
                id: AgentId(Uuid::from_u128(id)),
                tenant: world::tenant_id(0),
                name,
                direction: Direction::Inbound,
                state: AgentState::Live,
                targets,
                callback: None,
                runtime_parameters,
                first_audio_timeout_ms,
                min_attestation: least.0,
                context_min_attestation: least.1,
                runtime_media,
            })
        },
    )
}

fn other() -> impl Strategy<Value = Delta> {
    let key = (any::<u8>(), any::<[u8; 32]>()).prop_map(|(id, secret)| MediaKey { id, secret });
    prop_oneof![
        account(),
        agent(),
        any::<u128>().prop_map(|id| Delta::TenantRemoved(TenantId(Uuid::from_u128(id)))),
        any::<u128>().prop_map(|id| Delta::AccountRemoved(AccountId(Uuid::from_u128(id)))),
        vec(key, 0..3).prop_map(Delta::MediaKeys),
    ]
}

proptest! {
    #[test]
    fn deltas_survive_the_wire(
        edits in vec(prop_oneof![world::control_edit(), world::touch_edit()], 0..40),
        others in vec(other(), 0..4),
    ) {
        let mut world = World::new();
        let mut deltas = others;
        for edit in edits {
            let (control, touches) = world.edit(edit);
            deltas.extend(control.into_iter().chain(touches));
        }
        deltas.extend(world.snapshot().0);
        prop_assert_eq!(decode(&encode(&deltas)).unwrap(), deltas);
    }

    #[test]
    fn whatever_is_read_is_read_or_refused(body in vec(any::<u8>(), 0..200)) {
        let _ = decode(&body);
    }
}
