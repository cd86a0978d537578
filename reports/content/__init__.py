"""What a report says: read from Supabase's tables and made clean, before anybody thinks of how it looks."""
