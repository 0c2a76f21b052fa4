# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command and every event, as tables. What is not here does not exist."""

from collections.abc import Mapping

from ike.vici import about, actions, loading, queries
from ike.vici.answers import Handler

_NO_KEYS = "private keys belong to the TKM: give it to tkm_keymanager with -k"
_NO_SHARED = "shared secrets are not supported: peers authenticate with certificates"
_NO_POOLS = "pools are not supported"
_NO_INSTALLING = "the TKM installs all policies, when it starts"

COMMANDS: Mapping[str, Handler] = {
    "version": about.show_version,
    "stats": about.stats,
    "get-algorithms": about.algorithms,
    "reload-settings": loading.nothing_to_do,
    "initiate": actions.initiate,
    "terminate": actions.terminate,
    "rekey": actions.rekey,
    "install": loading.refuse(_NO_INSTALLING),
    "uninstall": loading.refuse(_NO_INSTALLING),
    "list-sas": queries.list_sas,
    "list-policies": queries.list_policies,
    "list-conns": queries.list_conns,
    "list-certs": queries.list_certs,
    "list-authorities": queries.list_authorities,
    "load-conn": loading.load_conn,
    "unload-conn": loading.unload_conn,
    "get-conns": loading.get_conns,
    "load-cert": loading.load_cert,
    "flush-certs": loading.nothing_to_do,
    "clear-creds": loading.clear_creds,
    "load-authority": loading.load_authority,
    "unload-authority": loading.unload_authority,
    "get-authorities": loading.get_authorities,
    "load-key": loading.refuse(_NO_KEYS),
    "load-token": loading.refuse(_NO_KEYS),
    "unload-key": loading.refuse(_NO_KEYS),
    "get-keys": loading.none_of("keys"),
    "load-shared": loading.refuse(_NO_SHARED),
    "unload-shared": loading.refuse(_NO_SHARED),
    "get-shared": loading.none_of("keys"),
    "load-pool": loading.refuse(_NO_POOLS),
    "unload-pool": loading.refuse(_NO_POOLS),
    "get-pools": loading.no_pools,
}

EVENTS = frozenset(
    {
        "log",
        "control-log",
        "list-sa",
        "list-policy",
        "list-conn",
        "list-cert",
        "list-authority",
        "ike-updown",
        "ike-rekey",
        "child-updown",
        "child-rekey",
    }
)
