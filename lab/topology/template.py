# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``tkm-lab new`` writes. It is a whole topology; each line that begins with `#:` may be used
by taking these two characters away, all at once, too.
"""

START = """\
# A topology for tkm-lab. What is here works as it stands; lines that begin with #: are more that
# you can have: take these two characters away. The reference is docs/topologies.md.
#
#   tkm-lab graph THIS-FILE -o picture.svg     draws it
#   tkm-lab up THIS-FILE                       builds it
#   tkm-lab check                              proves that ESP carries what it must

title = "two hosts, and what I want to try"

# Links are Ethernet segments.
[links.wire]
#:[links.inside]

# Hosts. An address has the prefix length of its link's network; a list gives several.
[nodes.alice]
addresses = { wire = "192.168.0.1/24" }
#:identity = "alice@example.test"      # in its certificate; else alice@tkm-lab.test
#:ike = "builtin"                      # or charon-tkm, strongswan, none

[nodes.bob]
addresses = { wire = "192.168.0.2/24" }
#:routes = { "10.1.0.0/16" = "192.168.0.3" }

# A gateway, with a network behind it, and a host in there that knows nothing of IPsec.
#:[nodes.moon]
#:addresses = { wire = "192.168.0.3/24", inside = "10.1.0.1/16" }
#:forward = true
#:[nodes.carol]
#:addresses = { inside = "10.1.0.10/16" }
#:routes = { default = "10.1.0.1" }

# Who must talk ESP with whom. Traffic that a policy covers never leaves in plain text; the first
# packet brings the SAs up. Lifetimes are in seconds: rekeyed after the soft, gone after the hard.
[[policies]]
between = ["alice", "bob"]
mode = "transport"
lifetime = { soft = 6900, hard = 7200 }

#:[[policies]]
#:between = ["moon", "bob"]
#:mode = "tunnel"
#:networks = { moon = "10.1.0.0/16" }
#:lifetime = { soft = 6900, hard = 7200 }
"""
