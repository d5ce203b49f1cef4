"""Awards (奖励), sanctions (处分) and appeals against them (申诉), policy §三(一) 奖惩记录 and §四(一)."""
