"""Reports about assessments: made from Supabase's tables, kept where only this service reads, given to their owners."""
