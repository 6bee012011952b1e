"""System 1 on a policy server: what is asked over the network, and what of the answers is believed."""
