"""Terminal sessions: frames, PTY processes, scrollback, recordings."""
