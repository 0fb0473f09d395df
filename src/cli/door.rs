//! From settings to the front door.

use ordo::{
    bus::hub,
    config::{Allowed, Config, ConfigError},
    http::{Bounds, Identities, Limits, Proxies, Rate, Settings, SocketLimits, Tls, Trusted},
};

/// The front door as it is configured.
pub(super) fn settings(config: &Config) -> Result<Settings, ConfigError> {
    let trusted = config.documents.as_deref().map(Trusted::parse).transpose();
    let proxies = config.trusted_proxies.as_deref().map(Proxies::parse).transpose();
    let tls = config.tls.as_ref().map(|(certificate, key)| Tls::load(certificate.as_bytes(), key.bytes()));
    Ok(Settings {
        introspection: config.introspection,
        trusted: trusted.map_err(|what| config.fault("documents_file", what))?.unwrap_or_default(),
        only_trusted: config.only_trusted,
        operation_time: config.operation_time,
        cors_origins: config.cors_origins.clone(),
        proxies: proxies.map_err(|what| config.fault("trusted_proxies", what))?.unwrap_or_default(),
        tls_only: config.tls.is_some(),
        metrics_token: config.metrics_token.clone(),
        tls: tls.transpose().map_err(|what| config.fault("tls_certificate_file", what))?,
        limits: limits(config.allowed),
        bounds: Bounds { connections: config.allowed.connections, ..Bounds::default() },
        sockets: SocketLimits::default(),
        live: hub::Limits::default(),
    })
}

/// The outside identity providers whose tokens are taken.
pub(super) fn identities(config: &Config) -> Result<Identities, ConfigError> {
    let Some(text) = &config.identity_providers else { return Ok(Identities::default()) };
    let fault = |what: String| config.fault("identity_providers_file", what);
    let identities =
        Identities::parse(text).map_err(|faults| fault(format!("is wrong: {}", faults.join("; "))))?;
    if identities.issuers().any(|issuer| issuer == config.jwt_issuer) {
        return Err(fault("describes `jwt_issuer`, who signs with our own key".to_owned()));
    }
    Ok(identities)
}

/// A sixth of a minute's requests may come at once, and half of a minute's cost: what a page needs that
/// opens.
fn limits(allowed: Allowed) -> Limits {
    let Allowed { requests_per_minute, cost_per_minute, logins_per_minute, sockets, subscriptions, .. } =
        allowed;
    Limits {
        requests: Rate::new(requests_per_minute, requests_per_minute.div_ceil(6)),
        cost: Rate::new(cost_per_minute, cost_per_minute.div_ceil(2)),
        logins_of_address: Rate::new(logins_per_minute, logins_per_minute),
        // Half of it for one account, from wherever.
        logins_of_email: Rate::new(logins_per_minute.div_ceil(2), logins_per_minute.div_ceil(2)),
        sockets,
        // Until it is known whose they are.
        sockets_of_address: sockets.saturating_mul(2),
        subscriptions,
        ..Limits::default()
    }
}
