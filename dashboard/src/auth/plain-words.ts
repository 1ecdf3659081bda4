import type { AuthError } from "@supabase/supabase-js";

const WORDS: Record<string, string> = {
  invalid_credentials: "The email or the password is not right.",
  email_not_confirmed: "Follow the link in the message that was sent to this address first.",
  user_banned: "This account is locked. Ask whoever runs this service.",
  user_already_exists: "There is an account with this email already. Sign in instead.",
  email_exists: "There is an account with this email already. Sign in instead.",
  signup_disabled: "Nobody can make an account here. Ask whoever runs this service for one.",
  email_address_invalid: "This is no email address that a message can be sent to.",
  email_address_not_authorized: "This service cannot send messages to that address yet. Ask whoever runs it.",
  over_request_rate_limit: "Too many tries just now. Wait a few minutes.",
  over_email_send_rate_limit: "Too many messages were sent just now. Wait an hour.",
};

/** Why Supabase refused. What is not known here is told in its own words. */
export function plainWords(error: AuthError): string {
  if (error.code === "weak_password") return `Choose another password. ${error.message}`;
  if (error.name === "AuthRetryableFetchError") return "The server for accounts cannot be reached. Is it running?";
  return WORDS[error.code ?? ""] ?? error.message;
}
