"""The lab: stories of thieves and honest customers, played against the real core before thieves play theirs."""
