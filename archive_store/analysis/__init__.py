"""Analysis (统计分析): counts with small cells suppressed, and pseudonymised rows. No identity leaves this room."""
