"""Long runs that try to lose an upload, or memory."""
