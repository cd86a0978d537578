"""What production rents, for one machine: Postgres with pgmq, a broker, a mail server, the Supabase schema."""
