"""Awards (奖励), sanctions (处分) and appeals (申诉) in GraphQL."""
